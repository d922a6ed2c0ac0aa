using System.CommandLine;
using EvenKeel.Cli.Broker;
using EvenKeel.Cli.Stability;

var root = new RootCommand("EvenKeel keeps Kafka-backed systems and their tests steady.");
root.Subcommands.Add(BrokerCommand.Create());
root.Subcommands.Add(StabilityCommand.Create());

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        await Console.Error.WriteLineAsync(error.Message);
    await Console.Error.WriteLineAsync("evenkeel --help lists commands and options.");
    return 2;
}
// The parser's own limit for a command that was asked to stop is 2 s, after which it exits with 143.
return await parsed.InvokeAsync(new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(10) });
