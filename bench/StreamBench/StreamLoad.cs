using System.Diagnostics;
using System.Text.Json;
using MetricStream.Load;

namespace StreamBench;

/// <summary>One run of the load, with what the server said of itself behind it.</summary>
internal sealed record Taken(long Offered, long Succeeded, double P50Milliseconds, double P99Milliseconds)
{
    public bool IsAll => Offered == Succeeded;
}

/// <summary>Batches of three metrics at a steady rate, of so many names in all.</summary>
internal sealed class StreamLoad(Uri address, int rate, int names)
{
    /// <summary>How the names begin that are watched.</summary>
    public const string Prefix = "load_metric_";

    private const int Clients = 64;
    private const int Metrics = 3;

    private static readonly HttpClient Http = new();

    public async Task<Taken> RunAsync(TimeSpan warmUp, TimeSpan time)
    {
        var target = new LoadTarget(address, null, null, TimeSpan.FromSeconds(30)) { Names = names };
        var shape = new LoadShape(Clients, 0, Metrics, rate, warmUp + time);
        var (result, _) = await new LoadRun(target, shape, OutcomeBook.NewRunId(), null).RunAsync(warmUp, null, CancellationToken.None);
        return new Taken(
            result.Tally.Finished, result.Tally.Succeeded, result.Tally.Latency.Percentile(50).TotalMilliseconds,
            result.Tally.Latency.Percentile(99).TotalMilliseconds);
    }

    public async Task<long> StatAsync(string name)
    {
        using var stats = JsonDocument.Parse(await Http.GetStringAsync(new Uri(address, "/api/stats")));
        return stats.RootElement.GetProperty("stream").GetProperty(name).GetInt64();
    }

    /// <summary>How long it took until a number of the server about its stream was as wanted; null: not within the limit.</summary>
    public async Task<TimeSpan?> UntilAsync(string name, long wanted, TimeSpan limit)
    {
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < limit; await Task.Delay(100))
        {
            if (await StatAsync(name) == wanted)
                return waited.Elapsed;
        }

        return null;
    }
}
