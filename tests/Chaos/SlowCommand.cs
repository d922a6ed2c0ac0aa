using System.CommandLine;
using System.Globalization;

namespace Chaos;

/// <summary><c>Chaos slow</c>: what thousands of idle and slow connections cost a good client.</summary>
internal static class SlowCommand
{
    public static Command Create()
    {
        var idle = new Option<int>("--idle") { Description = "Connections that say nothing.", DefaultValueFactory = _ => 5000 };
        var slow = new Option<int>("--slow") { Description = "Connections that drip headers, and as many bodies.", DefaultValueFactory = _ => 200 };
        var rate = new Option<double>("--rate") { Description = "Good batches a second.", DefaultValueFactory = _ => 500 };
        var seconds = new Option<int>("--seconds") { Description = "How long, without and with the bad ones.", DefaultValueFactory = _ => 30 };
        var bound = new Option<int>("--p99-ms") { Description = "The good client's p99 must stay below.", DefaultValueFactory = _ => 50 };
        var command = new Command("slow", "Slow headers, slow bodies and idle connections beside good clients.") { idle, slow, rate, seconds, bound };
        command.SetAction(async (parsed, cancellation) =>
        {
            var each = parsed.GetValue(slow);
            var shape = new SlowShape(
                parsed.GetValue(idle), each, each, parsed.GetValue(rate), TimeSpan.FromSeconds(parsed.GetValue(seconds)));
            var run = new SlowClients(shape, Console.WriteLine);
            var (alone, beside, violations) = await run.RunAsync(cancellation);
            foreach (var violation in violations) Console.WriteLine($"VIOLATION {violation}");
            var isHeld = violations.Count == 0 && beside.TotalMilliseconds < parsed.GetValue(bound);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{(isHeld ? "held" : "broken")}: p99 {beside.TotalMilliseconds:0.00} ms of less than {parsed.GetValue(bound)} ms, "
                + $"{alone.TotalMilliseconds:0.00} ms without the slow ones"));
            return isHeld ? 0 : 1;
        });
        return command;
    }
}
