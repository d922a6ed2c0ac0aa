using System.CommandLine;
using KafkaChaos.Loads;
using KafkaChaos.Scenarios;

namespace KafkaChaos;

/// <summary>The commands, one a scenario. Exit code 0 when all held, 1 when not, 2 for usage or a machine that lacks something.</summary>
internal static class ChaosCommands
{
    private static readonly Option<int?> Seed = new("--seed") { Description = "Draws the moments of the faults; printed as SEED=." };

    private static readonly Command[] All = [MillionCommand(), NodesCommand(), RestartsCommand(), OutageCommand(), ProcessKillCommand(),
        RefusalCommand("acl", "The permission to write taken away and given back.", RefusalCause.Permission),
        RefusalCommand("topic-deleted", "A topic deleted and made again.", RefusalCause.Deletion), PasswordCommand(), StormCommand(),
        MembersCommand(), EffectsCommand()];

    public static IEnumerable<string> Names => All.Select(command => command.Name);

    public static async Task<int> RunAsync(string[] arguments)
    {
        var root = new RootCommand("Breaks real Kafka clusters under load; nothing that was acknowledged may be lost.");
        foreach (var command in All)
        {
            command.Options.Add(Seed);
            root.Subcommands.Add(command);
        }
        var parsed = root.Parse(arguments);
        foreach (var error in parsed.Errors)
            await Console.Error.WriteLineAsync(error.Message);
        return parsed.Errors.Count > 0 ? 2 : await parsed.InvokeAsync();
    }

    private static Command MillionCommand()
    {
        var records = Number("--records", 1_000_000, "How many are sent.");
        var threads = Number("--threads", 64, "How many send.");
        var broker = new Option<string>("--broker") { Description = "real, embedded or both.", DefaultValueFactory = _ => "both" };
        broker.AcceptOnlyFromAmong("real", "embedded", "both");
        return Scenario("million", "Many threads, a million records, independent readers.", [records, threads, broker], async (run, parsed) =>
        {
            foreach (var isEmbedded in new[] { true, false })
            {
                if (parsed.GetValue(broker) is "both" || (parsed.GetValue(broker) == "embedded") == isEmbedded)
                    await new Million(parsed.GetValue(records), parsed.GetValue(threads), isEmbedded).RunAsync(run);
            }
        });
    }

    private static Command NodesCommand()
    {
        var minutes = new Option<double>("--minutes") { Description = "How long.", DefaultValueFactory = _ => 5 };
        var rate = Number("--rate", 2000, "Records a second.");
        return Scenario("nodes", "Three nodes, one killed and brought back at a time.", [minutes, rate], (run, parsed) =>
            new Nodes(TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(rate)).RunAsync(run));
    }

    private static Command RestartsCommand()
    {
        var rounds = Number("--rounds", 20, "How often the broker is killed.");
        var rate = Number("--rate", 2000, "Records a second.");
        var kind = new Option<string>("--producer") { Description = "spilling or reliable.", DefaultValueFactory = _ => "spilling" };
        kind.AcceptOnlyFromAmong("spilling", "reliable");
        return Scenario("restarts", "The only broker, killed and brought back.", [rounds, rate, kind], (run, parsed) =>
            new Restarts(parsed.GetValue(rounds), parsed.GetValue(rate), isEmbedded: false, parsed.GetValue(kind) == "spilling").RunAsync(run));
    }

    private static Command OutageCommand()
    {
        var minutes = new Option<double>("--minutes") { Description = "How long the broker is away.", DefaultValueFactory = _ => 3 };
        var rate = Number("--rate", 2000, "Records a second.");
        return Scenario("outage", "The only broker, away for minutes.", [minutes, rate], (run, parsed) =>
            new Outage(TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(rate)).RunAsync(run));
    }

    private static Command ProcessKillCommand()
    {
        var rounds = Number("--rounds", 50, "How often the process is killed.");
        var rate = Number("--rate", 2000, "Records a second.");
        var child = new Option<string>("--child") { Description = "The broker of the process that started this one.", Hidden = true };
        var folder = new Option<string>("--folder") { Description = "The folder of that process's run.", Hidden = true };
        var command = Scenario("processkill", "The process, killed with its spill in use.", [rounds, rate, child, folder], (run, parsed) =>
            new ProcessKill(parsed.GetValue(rounds), parsed.GetValue(rate), isEmbedded: false).RunAsync(run));
        var parent = command.Action;
        command.SetAction((parsed, cancellation) => parsed.GetValue(child) is { } bootstrapServers
            ? ChildAsync(bootstrapServers, parsed.GetValue(folder)!, parsed.GetValue(rate), cancellation)
            : ((System.CommandLine.Invocation.AsynchronousCommandLineAction)parent!).InvokeAsync(parsed, cancellation));
        return command;
    }

    private static async Task<int> ChildAsync(string bootstrapServers, string folder, int rate, CancellationToken cancellation)
    {
        await ProcessKill.RunChildAsync(bootstrapServers, folder, rate, cancellation);
        return 0;
    }

    private static Command RefusalCommand(string name, string description, RefusalCause cause)
    {
        var seconds = Number("--seconds", 30, "How long the topic is refused.");
        var rate = Number("--rate", 2000, "Records a second, half of them to another topic.");
        return Scenario(name, description, [seconds, rate], (run, parsed) =>
            new Refusal(cause, TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(rate)).RunAsync(run));
    }

    private static Command PasswordCommand() =>
        Scenario("password", "A wrong password.", [], (run, _) => WrongPassword.RunAsync(run));

    private static Command StormCommand()
    {
        var producers = Number("--producers", 200, "Producers of a round, in all.");
        var threads = Number("--threads", 64, "Threads, in all.");
        var processes = Number("--processes", 8, "Processes at once, after the storm in one; 1: no other storm.");
        var rounds = Number("--rounds", 100, "How often.");
        var child = new Option<string>("--child") { Description = "The broker of the process that started this one.", Hidden = true };
        return Scenario("storm", "Producers created and disposed of at once.", [producers, threads, processes, rounds, child], async (run, parsed) =>
        {
            var all = new StormShape(parsed.GetValue(producers), parsed.GetValue(threads), 1, parsed.GetValue(rounds));
            if (parsed.GetValue(child) is { } bootstrapServers)
            {
                await new Storm(all).RunHereAsync(bootstrapServers, run);
                return;
            }
            await new Storm(all).RunAsync(run);
            if (parsed.GetValue(processes) is > 1 and var several)
                await new Storm(all with { Producers = all.Producers / several, Threads = all.Threads / several, Processes = several }).RunAsync(run);
        });
    }

    private static Command MembersCommand()
    {
        var minutes = new Option<double>("--minutes") { Description = "How long.", DefaultValueFactory = _ => 5 };
        var rate = Number("--rate", 1000, "Records a second.");
        var nodes = Number("--nodes", 1, "Brokers; with three, one is killed at a time.");
        var violent = new Option<bool>("--violent") { Description = "Members are killed, and paused past their session." };
        var protocol = new Option<string>("--protocol") { Description = "classic or consumer.", DefaultValueFactory = _ => "classic" };
        protocol.AcceptOnlyFromAmong("classic", "consumer");
        var child = new Option<string>("--child") { Description = "The broker of the process that started this one.", Hidden = true };
        var folder = new Option<string>("--folder") { Description = "The folder of that process's run.", Hidden = true };
        Option[] options = [minutes, rate, nodes, violent, protocol, child, folder];
        var command = Scenario("members", "Members of a group that come and go.", options, (run, parsed) =>
            new Members(new MembersShape(
                TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(rate), parsed.GetValue(protocol)!, parsed.GetValue(nodes),
                parsed.GetValue(violent))).RunAsync(run));
        var parent = command.Action;
        command.SetAction((parsed, cancellation) => parsed.GetValue(child) is { } bootstrapServers
            ? MemberAsync(bootstrapServers, parsed.GetValue(folder)!, parsed.GetValue(protocol)!)
            : ((System.CommandLine.Invocation.AsynchronousCommandLineAction)parent!).InvokeAsync(parsed, cancellation));
        return command;
    }

    // Console.In's own asynchronous read holds its caller until the end.
    private static Task<string> AskedToLeave() => Task.Run(Console.In.ReadToEnd);

    private static async Task<int> MemberAsync(string bootstrapServers, string folder, string protocol)
    {
        await Members.RunChildAsync(bootstrapServers, folder, protocol, leave: AskedToLeave());
        return 0;
    }

    private static Command EffectsCommand()
    {
        var kills = Number("--kills", 50, "How often a member is killed or, every fifth time, paused beyond its session.");
        var rate = Number("--rate", 200, "Records a second.");
        var store = new Option<string>("--store") { Description = "sqlite or postgresql.", DefaultValueFactory = _ => EffectStore.Sqlite };
        store.AcceptOnlyFromAmong(EffectStore.Sqlite, EffectStore.PostgreSql);
        var connection = new Option<string>("--connection")
        {
            Description = "Of the PostgreSQL database; two tables in it are made anew.",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("EVENKEEL_POSTGRES") ?? "",
        };
        var protocol = new Option<string>("--protocol") { Description = "classic or consumer.", DefaultValueFactory = _ => "classic" };
        protocol.AcceptOnlyFromAmong("classic", "consumer");
        var child = new Option<string>("--child") { Description = "The broker of the process that started this one.", Hidden = true };
        var folder = new Option<string>("--folder") { Description = "The folder of that process's run.", Hidden = true };
        EffectsShape Shape(ParseResult parsed) => new(
            parsed.GetValue(store)!, parsed.GetValue(connection)!, parsed.GetValue(protocol)!, parsed.GetValue(kills), parsed.GetValue(rate));
        Option[] options = [kills, rate, store, connection, protocol, child, folder];
        var command = Scenario(
            "effects", "Members with an exactly-once effect, killed and turned into zombies.", options,
            (run, parsed) => new Effects(Shape(parsed)).RunAsync(run));
        var parent = command.Action;
        command.SetAction((parsed, cancellation) => parsed.GetValue(child) is { } bootstrapServers
            ? EffectsChildAsync(Shape(parsed), bootstrapServers, parsed.GetValue(folder)!)
            : ((System.CommandLine.Invocation.AsynchronousCommandLineAction)parent!).InvokeAsync(parsed, cancellation));
        return command;
    }

    private static async Task<int> EffectsChildAsync(EffectsShape shape, string bootstrapServers, string folder)
    {
        await Effects.RunChildAsync(shape, bootstrapServers, folder, leave: AskedToLeave());
        return 0;
    }

    private static Command Scenario(string name, string description, Option[] options, Func<ScenarioRun, ParseResult, Task> scenario)
    {
        var command = new Command(name, description);
        foreach (var option in options)
            command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) =>
        {
            try
            {
                var seed = parsed.GetValue(Seed) ?? Environment.TickCount;
                var verdict = await ScenarioRun.RunAsync(name, seed, Console.Out.WriteLine, run => scenario(run, parsed), cancellation);
                return verdict.IsHeld ? 0 : 1;
            }
            catch (UsageException usage)
            {
                await Console.Error.WriteLineAsync(usage.Message);
                return 2;
            }
        });
        return command;
    }

    private static Option<int> Number(string name, int standard, string description) =>
        new(name) { Description = description, DefaultValueFactory = _ => standard };
}
