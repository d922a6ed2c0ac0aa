using System.Diagnostics;

namespace MetricStream.Load;

/// <summary>
/// A pace says when the next request is due. In a closed loop that is at once, until the client has sent its share or the time is over;
/// in an open loop request k is due at start + k/rate whatever the server does, and clients share the sequence.
/// </summary>
internal sealed class Pace
{
    private readonly LoadShape _shape;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly long _end;
    private long _nextTicket;

    public Pace(LoadShape shape)
    {
        _shape = shape;
        _end = shape.Duration is { } duration ? _start + (long)(duration.TotalSeconds * Stopwatch.Frequency) : long.MaxValue;
    }

    public bool IsOpenLoop => _shape.Rate is not null;

    /// <summary>Each client has its share of requests, and no time ends the run.</summary>
    public bool IsCounted => _shape.Rate is null && _shape.Duration is null;

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    public long StartTimestamp => _start;

    /// <summary>Takes the next request: the time it is due, as a <see cref="Stopwatch"/> timestamp. False: this client is done.</summary>
    public bool TryTake(int takenByClient, out long due)
    {
        due = Stopwatch.GetTimestamp();
        if (due >= _end) return false;
        if (_shape.Rate is null) return _shape.Duration is not null || takenByClient < _shape.Requests;
        due = DueOf(Interlocked.Increment(ref _nextTicket) - 1);
        return due < _end;
    }

    /// <summary>Open loop, when every client is done: the requests that were due but that no client was free to take, by how long they
    /// waited.</summary>
    public IEnumerable<TimeSpan> NeverTaken()
    {
        if (!IsOpenLoop) yield break;
        for (var ticket = _nextTicket; ; ticket++)
        {
            var due = DueOf(ticket);
            if (due >= _end) yield break;
            yield return Stopwatch.GetElapsedTime(due, _end);
        }
    }

    private long DueOf(long ticket) => _start + (long)(ticket * (Stopwatch.Frequency / _shape.Rate!.Value));
}
