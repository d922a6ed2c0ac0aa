using System.Diagnostics;

namespace MetricStream.Load;

/// <summary>What a load run measured: its tally and the time it covers.</summary>
internal sealed record LoadResult(LoadShape Shape, LoadTally Tally, TimeSpan Elapsed, bool WasInterrupted)
{
    public double RequestsPerSecond => Elapsed > TimeSpan.Zero ? Tally.Succeeded / Elapsed.TotalSeconds : 0;

    public double MetricsPerSecond => RequestsPerSecond * Shape.Metrics;

    /// <summary>Of the finished requests; 1 when none was sent.</summary>
    public double SuccessRate => Tally.Finished == 0 ? 1 : (double)Tally.Succeeded / Tally.Finished;
}

/// <summary>
/// A load run starts its clients, watches for requests that take too long, and ends when every client is done or the caller cancels.
/// </summary>
internal sealed class LoadRun
{
    private static readonly TimeSpan WatchPeriod = TimeSpan.FromMilliseconds(100);

    private readonly LoadTarget _target;
    private readonly LoadShape _shape;
    private readonly string _runId;
    private readonly OutcomeBook? _book;

    /// <summary>Outcomes are kept in <paramref name="book"/>, which has a page for every client; null: they are not kept.</summary>
    public LoadRun(LoadTarget target, LoadShape shape, string runId, OutcomeBook? book)
    {
        if (book is not null && (book.Clients < shape.Clients || book.RunId != runId))
        {
            throw new ArgumentException(
                $"The book of run {book.RunId} with {book.Clients} pages is not one for run {runId} with {shape.Clients} clients.",
                nameof(book));
        }
        (_target, _shape, _runId, _book) = (target, shape, runId, book);
    }

    /// <summary>Requests due within <paramref name="warmUp"/> of the start are sent, but counted in a tally of their own, the second of
    /// the pair. Calls <paramref name="progress"/> about ten times a second.</summary>
    public async Task<(LoadResult Measured, LoadTally WarmUp)> RunAsync(
        TimeSpan warmUp, Action<LoadTally, TimeSpan>? progress, CancellationToken cancellation)
    {
        var clients = Enumerable.Range(0, _shape.Clients)
            .Select(n => new LoadClient(_target, new(_target, _runId, n, _shape.Metrics), _book?.Page(n)))
            .ToArray();
        using var ended = new CancellationTokenSource();
        var measured = new LoadTally();
        var warm = new LoadTally();
        var pace = new Pace(_shape);
        var countFrom = pace.StartTimestamp + (long)(warmUp.TotalSeconds * Stopwatch.Frequency);
        var watch = WatchAsync(clients, () => progress?.Invoke(measured, pace.Elapsed), ended.Token);
        using (cancellation.Register(() => Array.ForEach(clients, client => client.Abort())))
        {
            // Task.Run: a client whose first calls complete at once would keep the others from starting.
            await Task.WhenAll(clients.Select(client =>
                Task.Run(() => client.RunAsync(pace, due => due < countFrom ? warm : measured, cancellation), CancellationToken.None)));
        }
        var elapsed = pace.Elapsed - warmUp;
        await ended.CancelAsync();
        await watch;
        Array.ForEach(clients, client => client.Dispose());
        if (!cancellation.IsCancellationRequested)
        {
            foreach (var waited in pace.NeverTaken()) measured.WasNotSent(waited);
        }
        return (new(_shape, measured, elapsed, cancellation.IsCancellationRequested), warm);
    }

    private static async Task WatchAsync(LoadClient[] clients, Action progress, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(WatchPeriod);
        while (!ended.IsCancellationRequested)
        {
            Task tick = timer.WaitForNextTickAsync(ended).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ended.IsCancellationRequested) return;
            var now = Stopwatch.GetTimestamp();
            foreach (var client in clients) client.GiveUpIfLate(now);
            progress();
        }
    }
}
