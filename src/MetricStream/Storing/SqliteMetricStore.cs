using System.Collections.Concurrent;

namespace MetricStream.Storing;

/// <summary>
/// The store in one SQLite file (WAL, synchronous=FULL): one connection that writes, and a few that read, each read from one snapshot.
/// Every commit is fsynced; after a kill or a power cut SQLite recovers the log by itself at the next open.
/// </summary>
internal sealed class SqliteMetricStore : IMetricStore, IDeadLetters
{
    /// <summary>Reads at one time. A read waits for a free connection at most <see cref="ReaderWait"/>.</summary>
    internal const int Readers = 4;

    private static readonly TimeSpan ReaderWait = TimeSpan.FromSeconds(5);

    private readonly string _path;
    private readonly StoreLimits _limits;

    // Guarded by _gate: the connection that writes, and what is prepared on it.
    private readonly Lock _gate = new();
    private readonly Database _database;
    private readonly TransactionWriter _writer;
    private readonly Expiry _expiry;
    private readonly SqliteRollups _rollups;
    private readonly SourceClaims _claims;
    private readonly SqliteStatement _addRejected;
    private readonly SqliteStatement _addRejectedOfClient;
    private volatile bool _disposed;

    // A reader is taken by one thread and given back, or closed when it failed.
    private readonly ConcurrentStack<StoreReader> _idle = new();
    private readonly SemaphoreSlim _readerSlots = new(Readers);

    private SqliteMetricStore(string path, StoreLimits limits)
    {
        _path = path;
        _limits = limits;
        _database = StoreFile.OpenWriter(path, limits);
        try
        {
            _writer = new TransactionWriter(_database, limits.RememberedRows);
            _expiry = new Expiry(_database);
            _rollups = new SqliteRollups(_database);
            _claims = new SourceClaims(_database);
            _addRejected = _database.Prepare("UPDATE counters SET rejected = rejected + ?");
            _addRejectedOfClient = _database.Prepare("""
                INSERT INTO clients(client, acknowledged, rejected, last_seen) VALUES (?1, 0, ?2, ?3)
                ON CONFLICT(client) DO UPDATE SET rejected = rejected + ?2, last_seen = max(last_seen, ?3)
                """);
        }
        catch (SqliteFailureException failure)
        {
            // A table is missing or has other columns: somebody changed the file.
            _database.Dispose();
            throw failure.ToOpenFailure(path);
        }
    }

    /// <summary>Opens the store at <paramref name="path"/>, creating or upgrading it. Throws <see cref="StoreOpenException"/>.</summary>
    public static SqliteMetricStore Open(string path, StoreLimits? limits = null) =>
        new(Path.GetFullPath(path), limits ?? new StoreLimits());

    internal int RememberedSeries => _writer.RememberedSeries;

    public long Position(string source) => Read(reader => reader.Position(source));

    public StoreReceipt Write(StoreTransaction transaction) => Change(() => _writer.Write(transaction));

    public IReadOnlyList<SourceClaim> Claim(IReadOnlyList<SourceBounds> sources, string owner) =>
        Change(() => sources.Select(source => _claims.Take(source, owner)).ToList());

    /// <summary>The dead letters that lie in this file, oldest first, behind one of them.</summary>
    public IReadOnlyList<DeadLetter> DeadLetters(long after, int limit) => Read(reader => reader.DeadLetters(after, limit));

    /// <summary>Tries dead letters again, in one transaction; answers those that are refused again.</summary>
    public IReadOnlyList<DeadLetter> Retry(IReadOnlyList<DeadLetter> letters) => Change(() => _writer.Retry(letters));

    public void AddRejected(IReadOnlyCollection<ClientRejections> rejections) => Change(() =>
    {
        foreach (var rejection in rejections)
        {
            _addRejected.Bind(1, rejection.Rejected).Run();
            if (rejection.ClientId.Length > 0)
                _addRejectedOfClient.BindText(1, rejection.ClientId).Bind(2, rejection.Rejected).Bind(3, rejection.LastSeenUnixMs).Run();
        }

        return rejections.Count;
    });

    public ExpiryStep Expire(long samplesBefore, long batchesBefore, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return Change(() => _expiry.Step(samplesBefore, batchesBefore, limit), () =>
        {
            _expiry.Committed();
            foreach (var key in _expiry.RemovedKeys)
                _writer.ForgetSeries(key);
        });
    }

    public RollupStep RollUp(long closeBefore, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return Change(() => RollupRound.Step(_rollups, closeBefore, limit));
    }

    public StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId)
    {
        var reader = TakeReader();
        try
        {
            return reader.Find(clientId, batchId);
        }
        catch (SqliteFailureException failure)
        {
            reader.Failed = true;
            throw failure.ToUnavailable(_path);
        }
        finally
        {
            GiveBack(reader);
        }
    }

    public IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit) =>
        Read(reader => reader.Batches(clientId, after, limit));

    public IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit) =>
        Read(reader => reader.BatchesOf(source, from, until, limit));

    public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation) =>
        Read(reader => reader.Series(filter, cancellation));

    public MetricNames Names(string? search, int limit) => Read(reader => reader.Names(search, limit));

    public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation) =>
        Read(reader => reader.Query(query, cancellation));

    public StoreCounters Counters() => Read(reader => reader.Counters());

    public StoreAccount Account() => Read(reader => reader.Account());

    public IReadOnlyList<ClientCounters> Clients(int limit) => Read(reader => reader.Clients(limit));

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            // Readers first: the last connection to close folds the log into the file.
            while (_idle.TryPop(out var reader))
                reader.Dispose();
            _database.Dispose();
        }
    }

    // The single-writer rule: whatever changes the file comes through here, one at a time, one transaction each.
    private T Change<T>(Func<T> change, Action? committed = null)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            StoreFile.ThrowIfGone(_path);
            var done = false;
            try
            {
                var result = _database.Transact("BEGIN IMMEDIATE", change);
                done = true;
                _writer.Committed();
                committed?.Invoke();
                return result;
            }
            catch (SqliteFailureException failure)
            {
                throw failure.ToUnavailable(_path);
            }
            finally
            {
                if (!done)
                    _writer.RolledBack();
            }
        }
    }

    private T Read<T>(Func<StoreReader, T> read)
    {
        var reader = TakeReader();
        try
        {
            return reader.Snapshot(read);
        }
        catch (SqliteFailureException failure)
        {
            reader.Failed = true;
            throw failure.ToUnavailable(_path);
        }
        finally
        {
            GiveBack(reader);
        }
    }

    private StoreReader TakeReader()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_readerSlots.Wait(ReaderWait))
        {
            throw new StoreUnavailableException(
                $"All {Readers} readers of the store {_path} were busy for {ReaderWait.TotalSeconds} s; ask again, or for less at a time.",
                new TimeoutException("No reader became free."));
        }

        if (_idle.TryPop(out var idle))
            return idle;
        try
        {
            return new StoreReader(StoreFile.OpenReader(_path, _limits), _limits);
        }
        catch (SqliteFailureException failure)
        {
            _readerSlots.Release();
            throw failure.ToUnavailable(_path);
        }
    }

    private void GiveBack(StoreReader reader)
    {
        if (reader.Failed)
            reader.Dispose();
        else
            _idle.Push(reader);
        // Given back after the store was closed: nobody else will close it.
        if (_disposed && _idle.TryPop(out var late))
            late.Dispose();
        _readerSlots.Release();
    }
}

/// <summary>What bounds the store's memory and answers.</summary>
internal sealed record StoreLimits
{
    /// <summary>Points in one answer: 16 MB in memory, 25-40 MB as JSON.</summary>
    public int QueryPoints { get; init; } = 1_000_000;

    /// <summary>Series in one answer.</summary>
    public int QuerySeries { get; init; } = 100_000;

    /// <summary>The least part of a query's range, in ms, that is answered from roll-ups: below it the samples are as quick.</summary>
    public long RollupRangeMs { get; init; } = Rollup.Hour;

    /// <summary>Bytes of bodies in one page of a listing.</summary>
    public int ListedBodyBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Series, and clients, whose row the writer keeps in memory: see <see cref="KeyedRows"/>.</summary>
    public int RememberedRows { get; init; } = TransactionWriter.RememberedRows;

    /// <summary>How long a write waits for another program's lock before it is refused.</summary>
    public TimeSpan BusyWait { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The most bytes the file may grow to, rounded down to whole pages; null: what the disk gives. A store at its limit refuses
    /// writes, as on a full disk, until expiry makes room in the file.</summary>
    public long? FileBytes { get; init; }
}
