namespace MetricStream.Storing;

/// <summary>
/// Has the store roll its samples up: a round every minute, which closes what is older than <see cref="Grace"/>. Within a round the writer
/// is held for <see cref="SamplesPerStep"/> samples at a time, with a pause in between that lets transactions of batches through.
/// </summary>
internal sealed partial class RollupRounds(IMetricStore store, TimeProvider time, ILogger<RollupRounds> log)
{
    internal const int SamplesPerStep = 10_000;

    // Samples that come within it cost nothing more; later ones have their minute folded once more. Ten minutes at a time, because what a
    // walk costs is a page of each series.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Together = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Runs rounds until cancelled. A store that cannot be written now is tried again in the next round.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Period, time);
        using var ended = stop.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        do
        {
            await RoundAsync(stop).ConfigureAwait(false);
        }
        while (await timer.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false));
    }

    /// <summary>One round: everything that can be rolled up now, or until cancelled; the next one goes on there.</summary>
    internal async Task RoundAsync(CancellationToken stop)
    {
        var closeBefore = Rollup.Floor((time.GetUtcNow() - Grace).ToUnixTimeMilliseconds(), (long)Together.TotalMilliseconds);
        try
        {
            while (!stop.IsCancellationRequested && store.RollUp(closeBefore, SamplesPerStep).More)
                await Task.Delay(Pause, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (StoreUnavailableException unavailable)
        {
            LogPutOff(Period, unavailable.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rolling up is put off by {Period}: {Reason}")]
    private partial void LogPutOff(TimeSpan period, string reason);
}
