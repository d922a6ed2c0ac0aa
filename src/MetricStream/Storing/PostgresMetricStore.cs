using Npgsql;

namespace MetricStream.Storing;

/// <summary>
/// The store in PostgreSQL, which several servers may share: what each of them stored is counted under its name. A database that is away
/// makes every call fail for now; nothing is kept here meanwhile.
/// </summary>
internal sealed class PostgresMetricStore : IMetricStore
{
    // After a failed look-up of a batch id intake does without for so long: it must not wait for a database that hangs.
    private static readonly TimeSpan FindPause = TimeSpan.FromSeconds(5);

    private readonly PostgresSession _session;
    private readonly PostgresReads _reads;
    private readonly string _server;
    private readonly TimeProvider _time;
    private long _findFailedAt;

    // Guarded by _gate: one transaction of this process at a time.
    private readonly Lock _gate = new();
    private readonly PostgresWriter _writer;

    /// <param name="connection">A connection string of Npgsql; <c>Search Path</c> names the schema.</param>
    /// <param name="server">Under which name this server's counters are kept.</param>
    /// <param name="limits">What bounds memory and answers.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="StoreOpenException">The connection string cannot be used, or PostgreSQL refuses it.</exception>
    public PostgresMetricStore(string connection, string server, StoreLimits? limits = null, TimeProvider? time = null)
    {
        _session = new PostgresSession(connection);
        _server = server;
        _time = time ?? TimeProvider.System;
        limits ??= new StoreLimits();
        _reads = new PostgresReads(_session, limits, server);
        _writer = new PostgresWriter(new PostgresKeys(limits.RememberedRows), new PostgresDays(_time), server);
        try
        {
            IsThere = _session.TryOpen();
        }
        catch (StoreOpenException)
        {
            _session.Dispose();
            throw;
        }
    }

    /// <summary>It answered at the start.</summary>
    public bool IsThere { get; }

    /// <summary>For messages; without the password.</summary>
    public string Place => _session.Place;

    public long Position(string source) =>
        _session.Use(connection => connection.Number("SELECT position FROM sources WHERE source = $1", source));

    public StoreReceipt Write(StoreTransaction transaction)
    {
        lock (_gate)
        {
            return _session.Use(connection =>
            {
                _writer.Prepare(connection, transaction);
                using var open = connection.BeginTransaction();
                var receipt = _writer.Write(connection, transaction);
                open.Commit();
                return receipt;
            });
        }
    }

    public IReadOnlyList<SourceClaim> Claim(IReadOnlyList<SourceBounds> sources, string owner) => _session.Transact(connection =>
    {
        var claims = new Dictionary<string, SourceClaim>(StringComparer.Ordinal);
        // In one order for all: two servers that claim the same sources must not wait for each other in a circle.
        foreach (var bounds in sources.OrderBy(source => source.Source, StringComparer.Ordinal))
            claims[bounds.Source] = Claim(connection, bounds, owner);
        return sources.Select(source => claims[source.Source]).ToList();
    });

    public void AddRejected(IReadOnlyCollection<ClientRejections> rejections) => _session.Transact(connection =>
    {
        connection.Run("""
            INSERT INTO counters(stored_by, rejected) VALUES ($1, $2)
            ON CONFLICT (stored_by) DO UPDATE SET rejected = counters.rejected + $2
            """, _server, rejections.Sum(rejection => rejection.Rejected));
        foreach (var rejection in rejections.Where(r => r.ClientId.Length > 0).OrderBy(r => r.ClientId, StringComparer.Ordinal))
        {
            connection.Run("""
                INSERT INTO clients(client, rejected, last_seen) VALUES ($1, $2, $3)
                ON CONFLICT (client) DO UPDATE SET rejected = clients.rejected + $2, last_seen = greatest(clients.last_seen, $3)
                """, rejection.ClientId, rejection.Rejected, rejection.LastSeenUnixMs);
        }

        return true;
    });

    public StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId)
    {
        var failedAt = Interlocked.Read(ref _findFailedAt);
        if (failedAt != 0 && _time.GetElapsedTime(failedAt) < FindPause)
            throw new StoreUnavailableException($"PostgreSQL at {Place} did not answer lately.", new TimeoutException());
        try
        {
            return _reads.Find(clientId.ToArray(), batchId.ToArray());
        }
        catch (StoreUnavailableException)
        {
            Interlocked.Exchange(ref _findFailedAt, _time.GetTimestamp());
            throw;
        }
    }

    public IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit) => _reads.Batches(clientId, after, limit);

    public IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit) =>
        _reads.BatchesOf(source, from, until, limit);

    public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation) => _reads.Series(filter, cancellation);

    public MetricNames Names(string? search, int limit) => _reads.Names(search, limit);

    public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation) => _reads.Query(query, cancellation);

    public StoreCounters Counters() => _session.Use(_reads.Counters);

    public StoreAccount Account() => _reads.Account();

    public IReadOnlyList<ClientCounters> Clients(int limit) => _reads.Clients(limit);

    public ExpiryStep Expire(long samplesBefore, long batchesBefore, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var step = _session.Transact(connection => PostgresExpiry.Step(connection, samplesBefore, batchesBefore, limit));
        // Queries take nothing before it from roll-ups by now: whole days go.
        var moreDays = _session.Use(connection => PostgresDays.Drop(connection, samplesBefore));
        return step with { More = step.More || moreDays };
    }

    public RollupStep RollUp(long closeBefore, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return _session.Transact(connection => PostgresRollups.Step(connection, closeBefore, limit));
    }

    public void Dispose() => _session.Dispose();

    private static SourceClaim Claim(NpgsqlConnection connection, in SourceBounds bounds, string owner)
    {
        connection.Run("INSERT INTO sources(source, position, born) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            bounds.Source, bounds.First, bounds.HistoryEnd);
        var known = connection.Number("SELECT position FROM sources WHERE source = $1 FOR UPDATE", bounds.Source);
        var (position, lost, rewound) = StoreFence.Settle(known, bounds);
        var fence = connection.Number(
            "UPDATE sources SET position = $2, fence = fence + 1, owner = $3, lost = lost + $4 WHERE source = $1 RETURNING fence",
            bounds.Source, position, owner, lost);
        return new SourceClaim(bounds.Source, position, fence, lost, rewound);
    }
}
