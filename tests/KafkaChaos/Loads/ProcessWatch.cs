using System.Diagnostics;

namespace KafkaChaos.Loads;

/// <summary>A watch over this process: its resident memory once a second, and its threads.</summary>
internal sealed class ProcessWatch : IAsyncDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watching;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<(TimeSpan At, long Bytes)> _resident = [];

    public ProcessWatch() => _watching = WatchAsync();

    public static int Threads => Process.GetCurrentProcess().Threads.Count;

    public static double ResidentMegabytes => Environment.WorkingSet / 1048576.0;

    /// <summary>The time of the watch.</summary>
    public TimeSpan Now => Stopwatch.GetElapsedTime(_start);

    /// <summary>The median of resident memory between two times of the watch, in MB.</summary>
    public double MedianMegabytes(TimeSpan from, TimeSpan to)
    {
        lock (_gate)
        {
            var within = _resident.Where(sample => sample.At >= from && sample.At < to).Select(sample => sample.Bytes).Order().ToArray();
            return within.Length == 0 ? 0 : within[within.Length / 2] / 1048576.0;
        }
    }

    public double MostMegabytes
    {
        get
        {
            lock (_gate)
                return _resident.Count == 0 ? 0 : _resident.Max(sample => sample.Bytes) / 1048576.0;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task WatchAsync()
    {
        using var tick = new PeriodicTimer(Pace);
        while (await tick.WaitForNextTickAsync(_stop.Token))
        {
            lock (_gate)
                _resident.Add((Now, Environment.WorkingSet));
        }
    }
}
