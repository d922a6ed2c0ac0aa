using System.CommandLine;
using Chaos;
using Chaos.Kafka;
using Xunit.MicrosoftTestingPlatform;

// Chaos kill|terminate is a long run with a seed, slow one with bad clients, kafka one on a real Kafka; anything else is for the test platform.
if (args.Length == 0 || args[0] is not ("kill" or "terminate" or "slow" or "kafka"))
{
    return args.Any(arg => arg is "-automated" or "@@")
        ? await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args)
        : await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
}

var rounds = new Option<int>("--rounds") { Description = "How often the server is ended.", DefaultValueFactory = _ => 50 };
var seed = new Option<int?>("--seed") { Description = "Replays the moments of an earlier run; printed as SEED=." };
var clients = new Option<int>("--clients") { Description = "Connections that send all the time.", DefaultValueFactory = _ => 16 };
var unfinished = new Option<bool>("--unfinished-body") { Description = "With a client that never finishes its body (terminate)." };
var kill = new Command("kill", "Kill the server under load (SIGKILL).") { rounds, seed, clients };
kill.SetAction((parsed, cancellation) => RunAsync(parsed, Ending.Kill, cancellation));
var terminate = new Command("terminate", "Ask the server to stop under load (SIGTERM).") { rounds, seed, clients, unfinished };
terminate.SetAction((parsed, cancellation) =>
    RunAsync(parsed, parsed.GetValue(unfinished) ? Ending.TerminateWithUnfinishedBody : Ending.Terminate, cancellation));
var root = new RootCommand("Ends a real metricstream under load; nothing acknowledged may be lost or doubled.") { kill, terminate, SlowCommand.Create(), KafkaCommand.Create(seed) };
var parsed = root.Parse(args);
foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync(error.Message);
return parsed.Errors.Count > 0 ? 2 : await parsed.InvokeAsync();

async Task<int> RunAsync(ParseResult result, Ending ending, CancellationToken cancellation)
{
    var chosen = result.GetValue(seed) ?? Environment.TickCount;
    var run = new ChaosRun(ending, result.GetValue(rounds), result.GetValue(clients), chosen, Console.Out.WriteLine);
    var violations = await run.RunAsync(cancellation);
    foreach (var violation in violations) Console.WriteLine($"VIOLATION {violation}");
    var isHeld = violations.Count == 0;
    Console.WriteLine(isHeld ? "held: nothing lost, nothing doubled, every counter conserved" : $"broken: replay with {run.Replay}");
    return isHeld ? 0 : 1;
}
