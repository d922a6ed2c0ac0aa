using System.Diagnostics;

namespace EvenKeel.Queue;

/// <summary>What the group commits since opening cost: groups written, bytes, and the time spent in write and in fsync.</summary>
/// <param name="Groups">Groups and marks written.</param>
/// <param name="Bytes">Bytes written.</param>
/// <param name="Write">Time in write calls.</param>
/// <param name="Sync">Time in fsync (fdatasync on Linux).</param>
public readonly record struct CommitTimes(long Groups, long Bytes, TimeSpan Write, TimeSpan Sync)
{
    internal CommitTimes Add(long bytes, long writeTicks, long syncTicks) => new(
        Groups + 1, Bytes + bytes, Write + Stopwatch.GetElapsedTime(0, writeTicks), Sync + Stopwatch.GetElapsedTime(0, syncTicks));
}

/// <summary>What the commit of one group cost, which all its records waited for.</summary>
/// <param name="FirstSequence">Of its records.</param>
/// <param name="Records">How many they are.</param>
/// <param name="Write">Time in the write.</param>
/// <param name="Sync">Time in the fsync.</param>
public sealed record GroupCost(long FirstSequence, int Records, TimeSpan Write, TimeSpan Sync);

/// <summary>Keeps what commits cost: the sums, and the last groups one by one, for callers that split the time an append took. The
/// committer writes, anyone reads.</summary>
internal sealed class CommitClock
{
    // A caller asks when its append has ended; by then a few more groups may have been committed, rarely many.
    private const int Kept = 16;

    private readonly Lock _gate = new(); // Alone; anybody may ask for the times.
    private readonly GroupCost?[] _groups = new GroupCost?[Kept];
    private CommitTimes _times;
    private uint _next;

    public CommitTimes Times
    {
        get { lock (_gate) return _times; }
    }

    /// <param name="bytes">Written.</param>
    /// <param name="writeTicks">Time in the write.</param>
    /// <param name="syncTicks">Time in the fsync.</param>
    /// <param name="firstSequence">Of the records.</param>
    /// <param name="records">None: a mark.</param>
    public void Add(long bytes, long writeTicks, long syncTicks, long firstSequence, int records)
    {
        lock (_gate)
            _times = _times.Add(bytes, writeTicks, syncTicks);
        if (records == 0)
            return;
        var cost = new GroupCost(firstSequence, records, Stopwatch.GetElapsedTime(0, writeTicks), Stopwatch.GetElapsedTime(0, syncTicks));
        Volatile.Write(ref _groups[_next++ % Kept], cost);
    }

    public GroupCost? CostOf(long sequence)
    {
        foreach (ref var group in _groups.AsSpan())
        {
            if (Volatile.Read(ref group) is { } cost && sequence >= cost.FirstSequence && sequence < cost.FirstSequence + cost.Records)
                return cost;
        }
        return null;
    }
}
