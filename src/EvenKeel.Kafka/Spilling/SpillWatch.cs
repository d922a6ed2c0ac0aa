using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// The one loop that watches over the direct path: ends it when it fails or is too slow, puts what it did not deliver into the spill, and
/// opens another. Nobody else replaces it.
/// </summary>
internal sealed class SpillWatch(SpillRoute route, SpillOptions options, NoticeBoard notices, Func<DirectPath> open, TimeProvider time)
    : IDisposable
{
    private static readonly TimeSpan ShortTick = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestTick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CreationPause = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _disturbed = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    public void Start()
    {
        route.Disturbed += Disturb;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Any thread, short.</summary>
    public void Disturb()
    {
        try
        {
            _disturbed.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake already.
            return;
        }
    }

    /// <summary>Ends the loop behind a takeover that runs.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose()
    {
        _disturbed.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var tick = Tick(false);
        while (!_stop.IsCancellationRequested)
        {
            await _disturbed.WaitAsync(tick, _stop.Token).ConfigureAwait(false);
            try
            {
                tick = Tick(await LookAsync().ConfigureAwait(false));
            }
#pragma warning disable CA1031 // The loop must live: without it nothing that fails would ever reach the spill.
            catch (Exception defect) when (!_stop.IsCancellationRequested)
            {
                notices.Tell(new ProducerNotice(
                    ProducerNoticeKind.Defect, $"A look at the direct path failed: {defect.Message}", exception: defect));
            }
#pragma warning restore CA1031
        }
    }

    private TimeSpan Tick(bool isAwaited)
    {
        var tick = options.SpillAfter / 16;
        return isAwaited ? ShortTick : tick < LongestTick ? tick : LongestTick;
    }

    /// <returns>Whether records wait for the path.</returns>
    private async Task<bool> LookAsync()
    {
        if (route.Direct is not { } path)
        {
            await OpenAsync().ConfigureAwait(false);
            return true;
        }

        // The age of the oldest record in flight, to a tick: time-outs are ours, librdkafka's would let later records pass.
        var (_, oldestFor) = path.Backlog.TurnEra();
        var (waits, tooLong) = route.Tick();
        if (!path.HasFailed && oldestFor < options.SpillAfter && !tooLong)
            return waits;
        await TakeOverAsync(isAway: !path.HasFailed && oldestFor >= options.SpillAfter).ConfigureAwait(false);
        return true;
    }

    /// <summary>
    /// 1. Nothing goes straight from here on, and who comes stands in line. 2. The path is purged: each record has its outcome or comes
    /// back. 3. What came back goes to the front of the lines, in order; the lines move. 4. Another path, for keys that have nothing in the
    /// spill.
    /// </summary>
    private async Task TakeOverAsync(bool isAway)
    {
        if (route.BeginTakeover() is not { } path)
            return;
        try
        {
            await path.EndAsync(atOnce: true).ConfigureAwait(false);
        }
        finally
        {
            route.TakeBack(path, path.GivenBack(), isAway);
        }
        await OpenAsync().ConfigureAwait(false);
    }

    private async Task OpenAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                route.Open(open());
                return;
            }
            catch (KafkaException refused)
            {
                notices.Tell(new ProducerNotice(ProducerNoticeKind.BrokerError, refused.Message, refused.Code, refused));
            }
            await Task.Delay(CreationPause, time, _stop.Token).ConfigureAwait(false);
        }
    }
}
