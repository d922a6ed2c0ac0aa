using System.Collections.Concurrent;
using System.Text;
using MetricStream.Storing;

namespace MetricStream.Intake;

/// <summary>What intake has answered one client since the start, counted in batches. Its name is known to be a valid client id.</summary>
internal sealed class ClientTally(string name)
{
    // Interlocked.
    private long _acknowledged;
    private long _rejected;
    private long _lastSeenUnixMs;
    private long _bucketFullAt;

    // The latest wins.
    private volatile string? _lastRefusal;

    /// <summary>Empty for requests whose client could not be told.</summary>
    public string Name { get; } = name;

    /// <summary>The name as the record and the store have it.</summary>
    public byte[] Id { get; } = Encoding.ASCII.GetBytes(name);

    /// <summary>Where this client is counted: itself, or the tally of those beyond the ledger's bound.</summary>
    internal ClientTally? CountedIn { get; init; }

    /// <summary>Beyond the ledger's bound there is no place for a bucket of its own.</summary>
    public bool HasOwnBucket => CountedIn is null;

    /// <summary>The client's bucket, where a limit is set; Interlocked.</summary>
    public ref long BucketFullAt => ref _bucketFullAt;

    public void Acknowledge(long nowUnixMs)
    {
        Interlocked.Increment(ref (CountedIn ?? this)._acknowledged);
        Seen(nowUnixMs);
    }

    /// <param name="nowUnixMs">When.</param>
    /// <param name="reason">What the client was told; null when nobody was left to be told.</param>
    public void Reject(long nowUnixMs, string? reason = null)
    {
        if (reason is not null)
            (CountedIn ?? this)._lastRefusal = reason;
        Interlocked.Increment(ref (CountedIn ?? this)._rejected);
        Seen(nowUnixMs);
    }

    internal ClientActivity Read() =>
        new(Name, Interlocked.Read(ref _acknowledged), Interlocked.Read(ref _rejected), Interlocked.Read(ref _lastSeenUnixMs),
            _lastRefusal);

    internal long TakeRejected() => Interlocked.Exchange(ref _rejected, 0);

    internal void PutBackRejected(long count) => Interlocked.Add(ref _rejected, count);

    private void Seen(long nowUnixMs) => Interlocked.Exchange(ref (CountedIn ?? this)._lastSeenUnixMs, nowUnixMs);
}

/// <summary>A client's row at one moment: acknowledged since the start, rejections that no store has taken yet, and what it was told when
/// it was refused last, since the start.</summary>
internal readonly record struct ClientActivity(
    string ClientId, long Acknowledged, long UnsavedRejected, long LastSeenUnixMs, string? LastRefusal = null);

/// <summary>
/// Counts what intake acknowledged and refused, by client. Bounded: beyond <c>maxClients</c> names, further clients are counted together
/// under the empty name, where requests stand whose client could not be told, so that the sums stay right whatever names are sent.
/// Acknowledgements live in the queue's records and are counted by the store in the end; rejections are kept nowhere else and are
/// handed to the store by <see cref="TakeRejections"/>.
/// </summary>
internal sealed class IntakeLedger
{
    private readonly int _maxClients;
    private readonly ConcurrentDictionary<string, ClientTally> _clients = new(AsciiNames.Instance);
    private readonly ConcurrentDictionary<string, ClientTally>.AlternateLookup<ReadOnlySpan<byte>> _byBytes;

    public IntakeLedger(int maxClients = 10_000)
    {
        _maxClients = maxClients;
        _byBytes = _clients.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>The tally of requests whose client could not be told.</summary>
    public ClientTally Unknown { get; } = new("");

    /// <summary>The tally of a client, by its valid id.</summary>
    public ClientTally Client(ReadOnlySpan<byte> id)
    {
        if (_byBytes.TryGetValue(id, out var tally))
            return tally;
        var name = Encoding.ASCII.GetString(id);
        // Two threads may pass the bound at once; it is a bound on memory, not an exact number.
        return _clients.Count < _maxClients
            ? _clients.GetOrAdd(name, static added => new ClientTally(added))
            : new ClientTally(name) { CountedIn = Unknown };
    }

    /// <summary>Every client seen since the start, in no order; the empty name last.</summary>
    public IReadOnlyList<ClientActivity> Snapshot()
    {
        var rows = new List<ClientActivity>(_clients.Count + 1);
        foreach (var (_, tally) in _clients)
            rows.Add(tally.Read());
        rows.Add(Unknown.Read());
        return rows;
    }

    /// <summary>Takes the rejections since the last call, to be given to <see cref="IMetricStore.AddRejected"/>.
    /// When the store cannot take them, <see cref="PutBack"/> must be called with them.</summary>
    public IReadOnlyList<ClientRejections> TakeRejections()
    {
        var taken = new List<ClientRejections>();
        foreach (var row in Snapshot())
        {
            var tally = TallyOf(row.ClientId);
            if (row.UnsavedRejected > 0 && tally.TakeRejected() is > 0 and var count)
                taken.Add(new ClientRejections(row.ClientId, count, row.LastSeenUnixMs));
        }

        return taken;
    }

    /// <summary>Takes back what <see cref="TakeRejections"/> gave and no store has kept.</summary>
    public void PutBack(IEnumerable<ClientRejections> rejections)
    {
        foreach (var row in rejections)
            TallyOf(row.ClientId).PutBackRejected(row.Rejected);
    }

    private ClientTally TallyOf(string name) => name.Length == 0 ? Unknown : _clients[name];

    /// <summary>Client ids are ASCII, so their bytes can be looked up without making a string of them.</summary>
    private sealed class AsciiNames : IEqualityComparer<string>, IAlternateEqualityComparer<ReadOnlySpan<byte>, string>
    {
        public static readonly AsciiNames Instance = new();

        public bool Equals(string? x, string? y) => string.Equals(x, y, StringComparison.Ordinal);

        public bool Equals(ReadOnlySpan<byte> alternate, string other) => Ascii.Equals(alternate, other);

        public int GetHashCode(string obj)
        {
            Span<byte> bytes = stackalloc byte[ClientId.MaxBytes];
            return GetHashCode((ReadOnlySpan<byte>)bytes[..Encoding.ASCII.GetBytes(obj, bytes)]);
        }

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public string Create(ReadOnlySpan<byte> alternate) => Encoding.ASCII.GetString(alternate);
    }
}
