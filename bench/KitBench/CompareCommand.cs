using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EvenKeel.Testing.Cluster;

namespace KitBench;

/// <summary>The times of the versions, in turns, so that a machine that slows down slows all of them.</summary>
internal sealed class CompareCommand(BenchOptions options)
{
    private const string DelaySetting = "group.initial.rebalance.delay.ms";
    private readonly Dictionary<(string Broker, int Workers, string Version), List<SuiteOutcome>> _outcomes = [];
    private bool _isGreen = true;

    public async Task<int> RunAsync()
    {
        Console.WriteLine($"{Environment.ProcessorCount} processors, {options.Runs} run(s), load {Load()}");
        foreach (var broker in options.Brokers)
        {
            if (broker == BenchOptions.Real)
                Console.WriteLine($"real broker: {DelaySetting} = {await DelayAsync(options.BootstrapServers!)}");

            // The versions without the kit bring no broker: theirs is embedded here.
            await using var embedded = broker == BenchOptions.Embedded ? EmbeddedBroker.Start() : null;
            for (var run = 0; run < options.Runs; run++)
            {
                foreach (var workers in options.Workers)
                {
                    foreach (var version in options.Versions)
                        await RunAsync(broker, embedded?.BootstrapServers ?? options.BootstrapServers!, workers, version, run);
                }
            }
        }
        Console.WriteLine($"\nload {Load()}\n");
        Print();
        return _isGreen ? 0 : 1;
    }

    private async Task RunAsync(string broker, string servers, int workers, string version, int run)
    {
        var isEmbedded = broker == BenchOptions.Embedded;
        var outcome = await SuiteProcess.RunAsync(
            version, workers, isEmbedded && version == "Kit" ? null : servers, run, hasNoAdmin: isEmbedded);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{broker} {workers} worker(s) {version}: {outcome.Passed} passed, tests {outcome.Phase.TotalSeconds:0.00} s, "
            + $"command {outcome.Command.TotalSeconds:0.00} s, end of the run {outcome.Ending?.TotalMilliseconds:0} ms"));
        if (!outcome.IsGreen)
            Console.WriteLine(outcome.Output);

        // The others are there to be measured; that one of their tests fails now and then is part of what they are.
        _isGreen &= outcome.IsGreen || version != "Kit";
        var key = (broker, workers, version);
        _outcomes.TryAdd(key, []);
        _outcomes[key].Add(outcome);
    }

    private void Print()
    {
        Console.WriteLine("| broker | workers | version | tests, median s (min-max) | command, median s | end of the run, ms | Today's tests / its | its at 1 / its |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var ((broker, workers, version), outcomes) in _outcomes)
        {
            var phase = Median(outcomes, outcome => outcome.Phase.TotalSeconds);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {broker} | {workers} | {version} | {phase:0.00} ({outcomes.Min(one => one.Phase.TotalSeconds):0.00}-"
                + $"{outcomes.Max(one => one.Phase.TotalSeconds):0.00}) | {Median(outcomes, one => one.Command.TotalSeconds):0.00} | "
                + $"{Ending(outcomes)} | {Ratio((broker, workers, "Today"), phase)} | {Ratio((broker, 1, version), phase)} |"));
        }
    }

    private string Ratio((string Broker, int Workers, string Version) of, double to) =>
        _outcomes.TryGetValue(of, out var outcomes)
            ? string.Create(CultureInfo.InvariantCulture, $"{Median(outcomes, outcome => outcome.Phase.TotalSeconds) / to:0.0}")
            : "–";

    private static string Ending(List<SuiteOutcome> outcomes) =>
        outcomes.All(outcome => outcome.Ending is not null)
            ? string.Create(CultureInfo.InvariantCulture, $"{Median(outcomes, outcome => outcome.Ending!.Value.TotalMilliseconds):0}")
            : "–";

    private static double Median(List<SuiteOutcome> outcomes, Func<SuiteOutcome, double> of)
    {
        var sorted = outcomes.Select(of).Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static async Task<string> DelayAsync(string servers)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers }).Build();
        var broker = admin.GetMetadata(TimeSpan.FromSeconds(10)).Brokers[0].BrokerId.ToString(CultureInfo.InvariantCulture);
        var described = await admin.DescribeConfigsAsync([new ConfigResource { Type = ResourceType.Broker, Name = broker }]);
        return described[0].Entries[DelaySetting].Value;
    }

    private static string Load() =>
        File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
