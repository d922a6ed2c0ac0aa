using System.Globalization;
using KafkaChaos;
using MetricStream.Load;

namespace Chaos.Kafka;

/// <summary>
/// The servers that live on one data folder, one after the other, with the clients that load them. A server's life ends at a seeded
/// moment where servers are killed, else with the run; the last one stays, to be asked.
/// </summary>
internal sealed class ServerLives(KafkaShape shape, string name, string[] options, int seed) : IDisposable
{
    public const int MetricsABatch = 3;
    private const int Clients = 20;
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(60);
    public static readonly TimeSpan EmptyLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory($"metricstream-chaos-{name}-").FullName;
    private readonly Random _random = new(seed);
    private readonly OutcomeBook _book = new(OutcomeBook.NewRunId(), Clients);
    private readonly List<string> _violations = [];
    private readonly List<long> _resident = [];
    private ServerProcess? _server;
    private ServerCounters? _before;
    private TimeSpan _slowest;

    public int Count { get; private set; }

    public IReadOnlyList<string> Violations => _violations;

    public long Acknowledged => _book.Count(Outcome.Acknowledged);

    /// <summary>One server after the other until the run ends.</summary>
    public async Task RunAsync(CancellationToken end, CancellationToken cancellation)
    {
        do
        {
            _server?.Dispose();
            _server = await ServerProcess.StartAsync(_folder, cancellation, options);
            Count++;
            if (_before is null)
            {
                using var api = new ServerApi(Target());
                _before = await api.CountersAsync(cancellation);
            }
            await LiveAsync(_server, end);
        }
        while (!end.IsCancellationRequested);
    }

    /// <summary>Whether nothing that this server counts is on its way.</summary>
    public async Task<bool> IsAtRestAsync(CancellationToken cancellation)
    {
        using var api = new ServerApi(Target());
        return await api.CountersAsync(cancellation) is { IsAtRest: true, Missing: 0 };
    }

    /// <summary>What became of every batch, when nothing is on its way any more; then the server is asked to stop.</summary>
    /// <returns>Batches of this run that are listed, and those that this server counts as stored.</returns>
    public async Task<(long Listed, long Stored)> VerifyAsync(Action<string> print, CancellationToken cancellation)
    {
        var target = Target();
        using var api = new ServerApi(target);
        var report = await new Verification(target, _book, MetricsABatch, api, print).RunAsync(_before, EmptyLimit, cancellation);
        _violations.AddRange(report.Named.Select(named => $"{name}: {named}"));
        print(string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: {Count} lives; {report.Found} of {report.Acknowledged} acknowledged stored once, {report.UnknownStored} of {report.Unknown} "
            + $"without an answer stored; slowest answer {_slowest.TotalMilliseconds:0} ms; {report.Counters}"));
        if (await _server!.TerminateAsync(StopLimit, cancellation) is not 0 and var exit)
            _violations.Add($"{name}: {StopLimit.TotalSeconds} s after SIGTERM it {(exit is null ? "is still there" : $"ended with {exit}")}: {_server.Printed}");
        return (report.Found + report.UnknownStored, report.Counters!.Stored);
    }

    /// <summary>The median of its resident memory over a part of the run, in MB; 0 where it lived too short for that.</summary>
    public double ResidentMegabytes(double from, double to)
    {
        var part = _resident.Skip((int)(_resident.Count * from)).Take((int)(_resident.Count * (to - from))).Order().ToList();
        return part.Count == 0 ? 0 : part[part.Count / 2] / 1048576.0;
    }

    public void Dispose()
    {
        _server?.Dispose();

        // What broke is evidence: the folder stays.
        if (_violations.Count == 0)
            Directory.Delete(_folder, recursive: true);
    }

    private LoadTarget Target() => new(_server!.Url, null, null, RequestLimit);

    private async Task LiveAsync(ServerProcess server, CancellationToken end)
    {
        // 1. Load, until the run ends or this server's time has come.
        using var over = CancellationTokenSource.CreateLinkedTokenSource(end);
        if (shape.Faults.HasFlag(Faults.Servers))
            over.CancelAfter(_random.Between(2, 8));
        var load = new LoadShape(Clients, 1, MetricsABatch, shape.Rate / shape.Servers, shape.Duration + RequestLimit);
        using var stop = new CancellationTokenSource();
        var loading = new LoadRun(Target(), load, _book.RunId, _book).RunAsync(TimeSpan.Zero, (_, _) => Watch(server), stop.Token);
        await over.Token.WhenCancelled();

        // 2. A server is killed in the middle of it; at the end of the run the clients stop, and it lives.
        if (!end.IsCancellationRequested)
            await server.KillAsync();
        await stop.CancelAsync();
        var (result, _) = await loading;

        // 3. What the clients saw: slow at most, unless it was killed.
        var tally = result.Tally;
        _slowest = tally.Latency.Max > _slowest ? tally.Latency.Max : _slowest;
        var surprises = tally.Statuses.Where(pair => pair.Key != 200).Select(pair => $"{pair.Key}: {pair.Value}").ToList();
        if (!shape.Faults.HasFlag(Faults.Servers))
            surprises.AddRange(tally.Failures.Select(pair => $"{LoadTally.NameOf(pair.Key)}: {pair.Value}"));
        if (surprises.Count > 0)
            _violations.Add($"{name}, life {Count}: a client saw {string.Join(", ", surprises)}. The server printed:\n{server.Printed}");
    }

    private void Watch(ServerProcess server)
    {
        if (!shape.Faults.HasFlag(Faults.Servers))
            _resident.Add(server.ResidentBytes);
    }
}

/// <summary>Waiting for a token.</summary>
internal static class Tokens
{
    /// <summary>Ends when the token is cancelled.</summary>
    public static async Task WhenCancelled(this CancellationToken token) =>
        await Task.Delay(Timeout.Infinite, token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
