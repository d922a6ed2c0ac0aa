using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using MetricStream.Load;

namespace Chaos;

/// <summary>How a round ends its server.</summary>
internal enum Ending
{
    /// <summary>SIGKILL.</summary>
    Kill,

    /// <summary>SIGTERM: exit 0 within 20 s.</summary>
    Terminate,

    /// <summary>SIGTERM while a client holds a request whose body never ends.</summary>
    TerminateWithUnfinishedBody,
}

/// <summary>
/// A chaos run loads one data folder through many server processes: each round starts a server, sends, ends it at a seeded moment, and
/// books every answer. At the end every batch is looked up. The seed fixes the moments and what is sent again, not how threads are
/// scheduled.
/// </summary>
internal sealed class ChaosRun
{
    private const int MetricsABatch = 3;
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan EmptyLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan FirstAnswerLimit = TimeSpan.FromSeconds(20);

    private readonly Ending _ending;
    private readonly int _rounds;
    private readonly int _seed;
    private readonly Action<string> _print;
    private readonly Random _random;
    private readonly OutcomeBook _book;
    private readonly List<string> _violations = [];

    // Over all rounds.
    private long _answers;
    private long _resent;
    private ServerCounters _lowest = new(0, 0, 0, 0, 0, 0, 0);

    public ChaosRun(Ending ending, int rounds, int clients, int seed, Action<string> print)
    {
        (_ending, _rounds, _seed, _print) = (ending, rounds, seed, print);
        _random = new(seed);
        _book = new(OutcomeBook.NewRunId(), clients);
    }

    /// <summary>The command that runs this again.</summary>
    public string Replay => string.Create(
        CultureInfo.InvariantCulture,
        $"tests/Chaos {(_ending == Ending.Kill ? "kill" : "terminate")} --rounds {_rounds} --seed {_seed} --clients {_book.Clients}")
        + (_ending == Ending.TerminateWithUnfinishedBody ? " --unfinished-body" : "");

    /// <summary>Every violation, each with the round and the numbers; empty when all held.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancellation)
    {
        _print($"SEED={_seed} ({Replay})");
        var folder = Directory.CreateTempSubdirectory("metricstream-chaos-");
        try
        {
            for (var round = 1; round <= _rounds && _violations.Count == 0; round++)
                await RoundAsync(round, folder.FullName, cancellation);
            await VerifyAsync(folder.FullName, cancellation);
        }
        finally
        {
            // What broke is evidence: the folder stays.
            if (_violations.Count == 0) folder.Delete(recursive: true);
            else _print($"the data folder is kept: {folder.FullName}");
        }
        return _violations;
    }

    private async Task RoundAsync(int round, string folder, CancellationToken cancellation)
    {
        // 1. Start; what was acknowledged in earlier rounds must be in the counters at once.
        using var server = await ServerProcess.StartAsync(folder, cancellation);
        var target = new LoadTarget(server.Url, ApiKey: null, ClientId: null, RequestTimeout: TimeSpan.FromSeconds(30));
        await CheckCountersAsync(target, round, cancellation);

        // 2. Send some of the batches whose fate is unknown again: they must end up stored once, whatever became of them the first time.
        await ResendUnknownAsync(target, round, cancellation);

        // 3. Load until the seeded moment, counted from the first answer.
        var moment = TimeSpan.FromMilliseconds(_random.Next(20, 800));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var shape = new LoadShape(_book.Clients, Requests: 1, MetricsABatch, Rate: null, Duration: TimeSpan.FromMinutes(10));
        var load = new LoadRun(target, shape, _book.RunId, _book).RunAsync(
            TimeSpan.Zero,
            (tally, _) =>
            {
                if (tally.Succeeded > 0) answered.TrySetResult();
            },
            stop.Token);
        await answered.Task.WaitAsync(FirstAnswerLimit, cancellation);
        await Task.Delay(moment, cancellation);

        // 4. End it, and book what the clients saw.
        var ended = await EndAsync(server, round, cancellation);
        await stop.CancelAsync();
        var (result, _) = await load;
        Book(result.Tally, round, server);
        _print(string.Create(
            CultureInfo.InvariantCulture,
            $"round {round,3}: {ended} {moment.TotalMilliseconds,4:0} ms after the first answer; {result.Tally.Succeeded} acknowledged, "
            + $"{_book.Count(Outcome.Unknown)} unknown so far, {_resent} sent again"));
    }

    private async Task CheckCountersAsync(LoadTarget target, int round, CancellationToken cancellation)
    {
        using var api = new ServerApi(target);
        var counters = await api.CountersAsync(cancellation);
        if (counters.Acknowledged < _answers)
            _violations.Add($"round {round}: after the restart the server counts less than the {_answers} answers it gave: {counters}");
        if (counters.Acknowledged < _lowest.Acknowledged || counters.Stored < _lowest.Stored || counters.Duplicates < _lowest.Duplicates)
            _violations.Add($"round {round}: a counter fell: {counters}, before {_lowest}");
        if (counters.Quarantined != 0 || counters.DeadLettered != 0)
            _violations.Add($"round {round}: records were damaged or refused: {counters}");
        _lowest = counters;
    }

    private async Task ResendUnknownAsync(LoadTarget target, int round, CancellationToken cancellation)
    {
        for (var n = 0; n < _book.Clients; n++)
        {
            var page = _book.Page(n);
            using var client = new LoadClient(target, new(target, _book.RunId, n, MetricsABatch), page);
            for (var number = 0; number < page.Next; number++)
            {
                if (page[number] != Outcome.Unknown || _random.Next(2) == 0) continue;
                var tally = new LoadTally();
                await client.SendAsync(number, Stopwatch.GetTimestamp(), tally, cancellation);
                _resent++;
                _answers += tally.Succeeded;
                if (tally.Succeeded == 1) continue;
                var id = BatchTemplate.BatchId(_book.RunId, n, number);
                _violations.Add($"round {round}: {id} was not taken when sent again: {Seen(tally)}");
            }
        }
    }

    private async Task<string> EndAsync(ServerProcess server, int round, CancellationToken cancellation)
    {
        if (_ending == Ending.Kill)
        {
            await server.KillAsync();
            return "killed";
        }
        using var unfinished = _ending == Ending.TerminateWithUnfinishedBody ? await BeginBodyAsync(server.Url, cancellation) : null;
        var started = Stopwatch.GetTimestamp();
        var exit = await server.TerminateAsync(StopLimit, cancellation);
        var took = Stopwatch.GetElapsedTime(started);
        if (exit != 0)
        {
            var what = exit is null ? "was still there" : $"ended with exit code {exit}";
            _violations.Add($"round {round}: {took.TotalSeconds:0.0} s after SIGTERM the server {what}. It printed:\n{server.Printed}");
        }
        return $"stopped in {took.TotalSeconds:0.0} s";
    }

    private void Book(LoadTally tally, int round, ServerProcess server)
    {
        _answers += tally.Succeeded;
        // Before it is killed a server has no reason to refuse; one that stops may say 503.
        var surprises = tally.Statuses.Where(pair => pair.Key != 200 && !(_ending != Ending.Kill && pair.Key == 503)).ToArray();
        if (surprises.Length > 0)
            _violations.Add($"round {round}: answers other than 200: {Seen(tally)}. The server printed:\n{server.Printed}");
    }

    private async Task VerifyAsync(string folder, CancellationToken cancellation)
    {
        using var server = await ServerProcess.StartAsync(folder, cancellation);
        var target = new LoadTarget(server.Url, null, null, TimeSpan.FromSeconds(30));
        await CheckCountersAsync(target, _rounds + 1, cancellation);
        using var api = new ServerApi(target);
        var verification = new Verification(target, _book, MetricsABatch, api, _print);
        var report = await verification.RunAsync(new(0, 0, 0, 0, 0, 0, 0), EmptyLimit, cancellation);
        _violations.AddRange(report.Named);
        var counters = report.Counters!;
        // The folder is ours alone: what is counted must be exactly what was listed.
        if (counters.Stored != report.Found + report.UnknownStored)
            _violations.Add($"{counters.Stored} batches are counted as stored, {report.Found} + {report.UnknownStored} are listed.");
        if (counters.Acknowledged < _answers)
            _violations.Add($"{_answers} answers were given, the server counts {counters}");
        _print(
            $"verified: {report.Found} of {report.Acknowledged} acknowledged stored exactly once, "
            + $"{report.UnknownStored} of {report.Unknown} unknown; {counters}");
        if (await server.TerminateAsync(StopLimit, cancellation) is not 0 and var exit)
        {
            var what = exit is null ? "is still there" : $"ended with exit code {exit}";
            _violations.Add($"{StopLimit.TotalSeconds} s after SIGTERM the last server {what}. It printed:\n{server.Printed}");
        }
    }

    private static async Task<TcpClient> BeginBodyAsync(Uri server, CancellationToken cancellation)
    {
        var client = new TcpClient();
        await client.ConnectAsync(server.Host, server.Port, cancellation);
        var head = $"POST /metrics HTTP/1.1\r\nHost: {server.Authority}\r\nContent-Type: application/json\r\n"
            + "Content-Length: 1000\r\n\r\n{\"metrics\":[";
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head), cancellation);
        return client;
    }

    private static string Seen(LoadTally tally) => string.Join(", ",
        tally.Statuses.Select(pair => $"{pair.Key}: {pair.Value}")
            .Concat(tally.Failures.Select(pair => $"{LoadTally.NameOf(pair.Key)}: {pair.Value}"))
            .Concat(tally.Examples.Select(pair => $"{pair.Key} says {pair.Value}")));
}
