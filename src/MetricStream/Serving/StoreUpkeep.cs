using MetricStream.Intake;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>What the store needs beside batches: what intake refused, every second and once more at the end, and expiry.</summary>
internal sealed partial class StoreUpkeep : IDisposable
{
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(1);

    private readonly IMetricStore _store;
    private readonly IntakeLedger _ledger;
    private readonly Retention _retention;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public StoreUpkeep(IMetricStore store, IntakeLedger ledger, Retention retention, TimeProvider time, ILogger log)
    {
        _store = store;
        _ledger = ledger;
        _retention = retention;
        _time = time;
        _log = log;
    }

    public void Start() => _running = Task.WhenAll(_retention.RunAsync(_stop.Token), SaveRejectionsAsync());

    /// <summary>Ends both and saves what is left to save.</summary>
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
