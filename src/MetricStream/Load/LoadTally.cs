using System.Collections.Concurrent;

namespace MetricStream.Load;

/// <summary>Why a request has no usable answer.</summary>
internal enum FailureKind
{
    /// <summary>Nothing listened: no byte was sent.</summary>
    Refused,

    /// <summary>No connection for another reason (name, route, TLS): no byte was sent.</summary>
    NoConnection,

    /// <summary>The connection broke or was closed before the answer was complete.</summary>
    Reset,

    /// <summary>No answer within the request's time.</summary>
    Timeout,

    /// <summary>The answer was not HTTP/1.1.</summary>
    BadResponse,
}

/// <summary>
/// The tally of a measurement: answers by status, failures by kind, latencies. Any thread may count; reading while clients
/// run gives numbers that may be a request apart.
/// </summary>
internal sealed class LoadTally
{
    private readonly long[] _statuses = new long[600];
    private readonly long[] _failures = new long[Enum.GetValues<FailureKind>().Length];
    private readonly ConcurrentDictionary<string, string> _examples = new();
    private long _abandoned;
    private long _unsent;

    /// <summary>From the (intended) send to the end of the answer, whatever its status; unsent requests with the time they had
    /// waited.</summary>
    public LatencyHistogram Latency { get; } = new();

    /// <summary>Open loop: how long after its intended time a request was really sent (waiting for a free connection, or for the
    /// tool).</summary>
    public LatencyHistogram SendLag { get; } = new();

    public long Succeeded => _statuses.Skip(200).Take(100).Sum();

    public long Failed => _statuses.Sum() - Succeeded + _failures.Sum();

    public long Finished => Succeeded + Failed;

    /// <summary>In flight when the run was interrupted: neither answered nor failed.</summary>
    public long Abandoned => Volatile.Read(ref _abandoned);

    /// <summary>Open loop: due before the end of the run, but no connection was free to send it.</summary>
    public long Unsent => Volatile.Read(ref _unsent);

    public IEnumerable<KeyValuePair<int, long>> Statuses =>
        _statuses.Select((count, status) => KeyValuePair.Create(status, count)).Where(pair => pair.Value > 0);

    public IEnumerable<KeyValuePair<FailureKind, long>> Failures =>
        _failures.Select((count, kind) => KeyValuePair.Create((FailureKind)kind, count)).Where(pair => pair.Value > 0);

    /// <summary>One text for each kind of failure and each status outside 2xx: the first that was seen.</summary>
    public IEnumerable<KeyValuePair<string, string>> Examples => _examples.OrderBy(pair => pair.Key, StringComparer.Ordinal);

    public void Answered(int status, TimeSpan latency, string? excerpt)
    {
        Interlocked.Increment(ref _statuses[status]);
        Latency.Record(latency);
        if (excerpt is not null) _examples.TryAdd($"{status}", excerpt);
    }

    public void HasFailed(FailureKind kind, string reason)
    {
        Interlocked.Increment(ref _failures[(int)kind]);
        _examples.TryAdd(NameOf(kind), reason);
    }

    public void WasAbandoned() => Interlocked.Increment(ref _abandoned);

    public void WasNotSent(TimeSpan waited)
    {
        Interlocked.Increment(ref _unsent);
        Latency.Record(waited);
    }

    public static string NameOf(FailureKind kind) => kind switch
    {
        FailureKind.Refused => "connect_refused",
        FailureKind.NoConnection => "no_connection",
        FailureKind.Reset => "reset",
        FailureKind.Timeout => "timeout",
        FailureKind.BadResponse => "bad_response",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "a failure kind without a name"),
    };
}
