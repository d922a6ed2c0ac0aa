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
