using MetricStream.Intake;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>What the store needs beside batches: what intake refused, every second and once more at the end, and the rounds that expire
/// and roll up its samples.</summary>
internal sealed partial class StoreUpkeep : IDisposable
{
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(1);

    private readonly IMetricStore _store;
    private readonly IntakeLedger _ledger;
    private readonly IReadOnlyList<Func<CancellationToken, Task>> _rounds;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public StoreUpkeep(
        IMetricStore store, IntakeLedger ledger, IReadOnlyList<Func<CancellationToken, Task>> rounds, TimeProvider time, ILogger log)
    {
        _store = store;
        _ledger = ledger;
        _rounds = rounds;
        _time = time;
        _log = log;
    }

    public void Start() => _running = Task.WhenAll([.. _rounds.Select(run => run(_stop.Token)), SaveRejectionsAsync()]);

    /// <summary>The rounds over a store: expiry in its windows, and roll-ups.</summary>
    public static IReadOnlyList<Func<CancellationToken, Task>> Rounds(
        IMetricStore store, ServeSettings settings, TimeProvider time, ILoggerFactory logs)
    {
        var windows = new RetentionWindows { Samples = settings.Retention, BatchIds = settings.IdWindow };
        return
        [
            new Retention(store, windows, time, logs.CreateLogger<Retention>()).RunAsync,
            new RollupRounds(store, time, logs.CreateLogger<RollupRounds>()).RunAsync,
        ];
    }

    /// <summary>Ends them and saves what is left to save.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        SaveRejections();
    }

    public void Dispose() => _stop.Dispose();

    private async Task SaveRejectionsAsync()
    {
        using var timer = new PeriodicTimer(SaveEvery, _time);
        using var ended = _stop.Token.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        while (await timer.WaitForNextTickAsync())
            SaveRejections();
    }

    private void SaveRejections()
    {
        var rejections = _ledger.TakeRejections();
        if (rejections.Count == 0)
            return;
        try
        {
            _store.AddRejected(rejections);
        }
        catch (StoreUnavailableException unavailable)
        {
            _ledger.PutBack(rejections);
            LogNotSaved(rejections.Count, unavailable.Message);
        }
    }

    [LoggerMessage(111, LogLevel.Warning, "Rejections of {Clients} clients are kept in memory, the store does not take them now: {Reason}")]
    private partial void LogNotSaved(int clients, string reason);
}
