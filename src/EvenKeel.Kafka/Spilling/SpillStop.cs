using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace EvenKeel.Kafka.Spilling;

/// <summary>The bounded end of a spilling producer: its replays, its files, and the one report of its drain.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "EndAsync is its end, and disposes of it.")]
internal sealed class SpillStop
{
    /// <summary>For what is in line to be on disk; a disk that takes longer is broken.</summary>
    public static readonly TimeSpan DiskLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<Task> _replays = [];
    private Task<SpillDrainReport>? _drain;

    public CancellationToken Token => _stopping.Token;

    public void Add(Task replay)
    {
        lock (_gate)
            _replays.Add(replay);
    }

    public Task<SpillDrainReport> DrainAsync(Func<Task<SpillDrainReport>> drain)
    {
        lock (_gate)
            return _drain ??= Task.Run(drain);
    }

    /// <summary>Waits for a state, within a limit.</summary>
    public static async Task WaitAsync(Func<bool> state, long start, TimeSpan limit, CancellationToken hurry)
    {
        using var tick = new PeriodicTimer(Look);
        while (!state() && Stopwatch.GetElapsedTime(start) < limit && !hurry.IsCancellationRequested)
            await tick.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Purges what the replays have on its way, which stays on disk.</summary>
    public async Task StopReplaysAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        Task replays;
        lock (_gate)
            replays = Task.WhenAll(_replays);
        await replays.ConfigureAwait(false);
    }

    public async Task EndAsync(SpillRoute route, DeadLetterBox deadLetters)
    {
        await StopReplaysAsync().ConfigureAwait(false);
        foreach (var lane in route.Lanes())
            lane.Dispose();
        deadLetters.Dispose();
        _stopping.Dispose();
    }
}
