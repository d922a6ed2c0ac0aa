using System.CommandLine;
using MetricStream.Load;
using MetricStream.Queueing;
using MetricStream.Serving;
using MetricStream.Storing;

var root = new RootCommand("MetricStream takes metrics over HTTP and acknowledges only what it cannot lose.");
root.Subcommands.Add(ServeCommand.Create());
root.Subcommands.Add(LoadCommand.Create());
root.Subcommands.Add(QueueCommand.Create());
root.Subcommands.Add(DeadLettersCommand.Create());

// serve is the default: what begins with an option that is not about the program itself belongs to it.
var known = root.Subcommands.Select(c => c.Name).ToHashSet(StringComparer.Ordinal);
string[] aboutTheProgram = ["-h", "-?", "/?", "--help", "--version"];
var words = args.Length > 0 && (known.Contains(args[0]) || aboutTheProgram.Contains(args[0]) || !args[0].StartsWith('-'))
    ? args
    : ["serve", .. args];

var parsed = root.Parse(words);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        await Console.Error.WriteLineAsync(error.Message);
    await Console.Error.WriteLineAsync("metricstream --help lists commands and options.");
    return 2;
}
// The parser's own limit for a command that was asked to stop is 2 s, after which it exits with 143; serve has 20 s to drain.
return await parsed.InvokeAsync(new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
