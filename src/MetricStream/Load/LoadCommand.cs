using System.CommandLine;
using System.CommandLine.Parsing;
using MetricStream.Kafka;
using MetricStream.Serving;

namespace MetricStream.Load;

/// <summary>The <c>load</c> command: puts measured load on a server and checks that what was acknowledged is stored exactly once.</summary>
internal static class LoadCommand
{
    public static Command Create() => Create(Console.Out, Console.Error, isTerminal: !Console.IsOutputRedirected);

    /// <summary>The command with its output elsewhere than on the console.</summary>
    public static Command Create(TextWriter output, TextWriter errors, bool isTerminal)
    {
        var url = Address();
        var clients = new Option<int>("--clients")
        {
            Description = "Connections; with --rate the most requests in flight.",
            DefaultValueFactory = _ => 20,
        };
        var requests = new Option<int>("--requests")
        {
            Description = "Requests a client sends one after another.",
            DefaultValueFactory = _ => 50,
        };
        var metrics = new Option<int>("--metrics") { Description = "Metrics in a batch.", DefaultValueFactory = _ => 3 };
        var rate = new Option<double?>("--rate")
        {
            Description = "Requests a second over all clients, sent at fixed times (open loop); with --find-max the first rate tried.",
        };
        var duration = Time("--duration", "How long to send, such as 30s; without --rate each client sends when it is answered.", null);
        var findMax = new Option<bool>("--find-max") { Description = "Search the highest rate with p99 within --p99 and no failure." };
        var p99 = Time("--p99", "With --find-max: the bound for p99.", "50ms");
        var step = Time("--step", "With --find-max: how long each rate is measured, after a warm-up.", "5s");
        var verify = new Option<bool>("--verify")
        {
            Description = "Wait for the queue to empty and check that every acknowledged batch is stored exactly once.",
        };
        var verifyTimeout = Time("--verify-timeout", "With --verify: how long the queue may take to empty.", "60s");
        var apiKey = new Option<string?>("--api-key") { Description = "Sent as a bearer token." };
        var clientId = new Option<string?>("--client-id")
        {
            Description = "One client id for all connections (default load-{run}-{n} each; with --api-key the key's own).",
        };
        var timeout = Time("--timeout", "A request without an answer after this counts as failed.", "30s");
        var json = new Option<string?>("--json") { Description = "Write all numbers to this file." };
        var command = new Command("load", "Put measured load on a server; --verify checks that nothing acknowledged is missing or doubled.")
        {
            url, clients, requests, metrics, rate, duration, findMax, p99, step, verify, verifyTimeout, apiKey, clientId, timeout, json,
            Compare(),
        };
        var cluster = KafkaCommandLine.ClusterOptions().ToArray();
        foreach (var option in cluster) command.Options.Add(option);

        LoadOptions? Read(ParseResult result) => Uri.TryCreate(result.GetValue(url), UriKind.Absolute, out var address)
            ? new(
                new(address, result.GetValue(apiKey), result.GetValue(clientId), result.GetValue(timeout)!.Value),
                new(
                    result.GetValue(clients), result.GetValue(requests), result.GetValue(metrics),
                    result.GetValue(rate), result.GetValue(duration)),
                result.GetValue(findMax) ? new(result.GetValue(p99)!.Value, result.GetValue(step)!.Value) : null,
                result.GetValue(verify) ? result.GetValue(verifyTimeout) : null,
                result.GetValue(json))
            : null;

        command.SetAction(async (result, cancellation) =>
        {
            if (result.GetValue<string?>("--compare") is { } queues)
                return await CompareAsync(result, (queues, result.GetValue(url), cluster), (output, errors), cancellation);
            var options = Read(result);
            string[] violations = options is null
                ? [NoAddress(result.GetValue(url))]
                : [.. options.Validate(), .. Contradictions(result, requests, rate, duration)];
            foreach (var violation in violations) errors.WriteLine(violation);
            if (options is null || violations.Length > 0) return 2;
            return await new LoadSession(options, output, errors, isTerminal).RunAsync(cancellation);
        });
        return command;
    }

    private static Argument<string?> Address() => new("URL")
    {
        Description = "The server's address, such as http://127.0.0.1:8090; none with --compare.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static string NoAddress(string? url) => url is null
        ? "The server's address is missing: write it as http://127.0.0.1:8090, or say --compare file,kafka."
        : $"'{url}' is no server address: write it as http://127.0.0.1:8090 or https://host:port.";

    private static Option<string?> Compare() => new("--compare")
    {
        Description = "Measure queues side by side, each with a server of its own, at 20, 50 and 100 clients (or --clients).",
        HelpName = "file,kafka",
    };

    private static async Task<int> CompareAsync(
        ParseResult result, (string Queues, string? Url, Option[] Cluster) asked, (TextWriter Output, TextWriter Errors) writers,
        CancellationToken cancellation)
    {
        // 1. The cluster is read here only to find out what is wrong, and to remove the topic; the server is told the same words.
        var words = asked.Cluster.Select(result.GetResult).OfType<OptionResult>().Where(found => !found.Implicit)
            .SelectMany(found => found.Tokens.SelectMany(token => (string[])[found.Option.Name, token.Value])).ToArray();
        var queues = asked.Queues.Split(',', StringSplitOptions.TrimEntries);
        var (kafka, unreadable) = words.Length > 0 && queues.Contains(ComparisonOptions.Kafka)
            ? KafkaCommandLine.Read(ServeCommand.Given(result, asked.Cluster)) : (null, []);
        // 2. What is to be compared.
        var options = new ComparisonOptions(
            queues, result.GetResult("--clients") is OptionResult { Implicit: false } ? [result.GetValue<int>("--clients")] : [20, 50, 100],
            result.GetValue<int>("--requests"), result.GetValue<int>("--metrics"), result.GetValue<TimeSpan?>("--verify-timeout")!.Value,
            words, kafka);
        var violations = options.Validate().Concat(unreadable).ToList();
        if (asked.Url is { } url) violations.Add($"'{url}' is one server: --compare starts its own, leave the address out.");
        foreach (var violation in violations) writers.Errors.WriteLine(violation);
        if (violations.Count > 0) return 2;
        // 3. The comparison.
        return await new LoadComparison(options, OwnServerCommand.Ours(), writers.Output, writers.Errors).RunAsync(cancellation);
    }

    // Whether an option was written is known to the parse alone; its value does not tell.
    private static IEnumerable<string> Contradictions(ParseResult result, Option requests, Option rate, Option duration)
    {
        if (result.GetResult(requests) is not { Implicit: false }) yield break;
        if (result.GetResult(rate) is { Implicit: false })
            yield return "--requests and --rate contradict each other: an open loop sends for a --duration.";
        else if (result.GetResult(duration) is { Implicit: false })
            yield return "--requests and --duration contradict each other: name one.";
    }

    private static Option<TimeSpan?> Time(string name, string description, string? fallback) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        DefaultValueFactory = _ => fallback is null ? null : Units.ParseTime(fallback),
        CustomParser = result =>
        {
            if (Units.TryParseTime(result.Tokens[0].Value, out var time, out var error)) return time;
            result.AddError($"{name}: {error}");
            return null;
        },
    };
}
