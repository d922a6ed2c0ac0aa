namespace MetricStream.Storing;

/// <summary>
/// Keeps the store to its two windows: how long samples are kept, and how long batch ids (with their bodies) are recognised.
/// A round runs every minute, or every quarter of the smaller window where that is less; within a round the writer is held for
/// <see cref="RowsPerStep"/> rows at a time, with a pause in between that lets intake's transactions through.
/// </summary>
internal sealed partial class Retention(IMetricStore store, RetentionWindows windows, TimeProvider time, ILogger<Retention> log)
{
    internal const int RowsPerStep = 1000;

    private static readonly TimeSpan LongestPeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ShortestPeriod = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>The time between two rounds.</summary>
    internal TimeSpan Period { get; } = Clamp(TimeSpan.FromTicks(Math.Min(windows.Samples.Ticks, windows.BatchIds.Ticks) / 4));

    /// <summary>Runs rounds until cancelled. A store that cannot be written now is tried again in the next round.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            do
            {
                await RoundAsync(stop).ConfigureAwait(false);
            }
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The server stops: what is expired and still there goes in the first round after the next start.
            return;
        }
    }

    /// <summary>One round: everything that is too old now. Returns the rows removed.</summary>
    internal async Task<long> RoundAsync(CancellationToken stop)
    {
        var now = time.GetUtcNow();
        var samplesBefore = Before(now, windows.Samples);
        var batchesBefore = Before(now, windows.BatchIds);
        var removed = 0L;
        try
        {
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                var step = store.Expire(samplesBefore, batchesBefore, RowsPerStep);
                removed += step.Removed;
                if (!step.More)
                    return removed;
                await Task.Delay(Pause, time, stop).ConfigureAwait(false);
            }
        }
        catch (StoreUnavailableException unavailable)
        {
            LogPutOff(Period, unavailable.Message);
            return removed;
        }
    }

    private static long Before(DateTimeOffset now, TimeSpan window) =>
        window >= now - DateTimeOffset.MinValue
            ? DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            : (now - window).ToUnixTimeMilliseconds();

    private static TimeSpan Clamp(TimeSpan period) =>
        period > LongestPeriod ? LongestPeriod : period < ShortestPeriod ? ShortestPeriod : period;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Expiry is put off by {Period}: {Reason}")]
    private partial void LogPutOff(TimeSpan period, string reason);
}

/// <summary>How long samples, and how long batch ids, are kept. Samples go by their own time, batches by their arrival.</summary>
internal sealed record RetentionWindows
{
    /// <summary>Default 30 days.</summary>
    public TimeSpan Samples { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Default 24 hours. A re-send after that is stored again: set it longer than the longest outage of your senders.</summary>
    public TimeSpan BatchIds { get; init; } = TimeSpan.FromHours(24);
}
