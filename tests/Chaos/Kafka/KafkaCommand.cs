using System.CommandLine;
using KafkaChaos;

namespace Chaos.Kafka;

/// <summary><c>Chaos kafka</c>: MetricStream on a real Kafka, while what it stands on is killed.</summary>
internal static class KafkaCommand
{
    public static Command Create(Option<int?> seed)
    {
        var faults = new Option<string>("--faults")
        {
            Description = "What goes wrong: brokers, outage, servers, database; several with commas.",
            DefaultValueFactory = _ => "brokers",
        };
        var minutes = new Option<double>("--minutes") { Description = "How long.", DefaultValueFactory = _ => 5 };
        var rate = new Option<double>("--rate") { Description = "Batches a second.", DefaultValueFactory = _ => 1000 };
        var nodes = new Option<int>("--nodes") { Description = "Brokers.", DefaultValueFactory = _ => 1 };
        var servers = new Option<int>("--servers") { Description = "Servers of the group.", DefaultValueFactory = _ => 1 };
        var store = new Option<string>("--store") { Description = "sqlite or postgres.", DefaultValueFactory = _ => "sqlite" };
        store.AcceptOnlyFromAmong("sqlite", "postgres");
        var command = new Command("kafka", "Kill brokers, servers or the database under a server with its queue in Kafka.")
        {
            faults, minutes, rate, nodes, servers, store, seed,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (!Enum.TryParse<Faults>(parsed.GetValue(faults), ignoreCase: true, out var chosen))
                return await RefuseAsync($"--faults '{parsed.GetValue(faults)}': name some of brokers, outage, servers, database.");
            var shape = new KafkaShape(
                chosen, TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(rate), parsed.GetValue(nodes),
                parsed.GetValue(servers), parsed.GetValue(store) == "postgres");
            if (string.Join(Environment.NewLine, shape.Validate()) is { Length: > 0 } violations)
                return await RefuseAsync(violations);
            var moments = parsed.GetValue(seed) ?? Environment.TickCount;
            Console.WriteLine($"SEED={moments}");
            try
            {
                var broken = await new KafkaRun(shape, moments, Console.Out.WriteLine).RunAsync(cancellation);
                foreach (var violation in broken)
                    Console.WriteLine($"VIOLATION {violation}");
                Console.WriteLine(broken.Count == 0 ? "held: nothing lost, nothing doubled, every counter conserved" : "broken");
                return broken.Count == 0 ? 0 : 1;
            }
            catch (UsageException lacking)
            {
                return await RefuseAsync(lacking.Message);
            }
        });
        return command;
    }

    private static async Task<int> RefuseAsync(string reason)
    {
        await Console.Error.WriteLineAsync(reason);
        return 2;
    }
}
