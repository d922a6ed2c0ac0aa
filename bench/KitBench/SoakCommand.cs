using System.Diagnostics;
using System.Globalization;

namespace KitBench;

/// <summary>
/// The kit's version in rounds: several processes of it at once, in shuffled orders, beside threads that keep processors busy. It ends at the
/// first failure, and when something is left behind.
/// </summary>
internal sealed class SoakCommand(BenchOptions options)
{
    public async Task<int> RunAsync()
    {
        var start = Stopwatch.GetTimestamp();
        var done = File.Exists(options.State) ? File.ReadAllLines(options.State).Length : 0;
        var plan = (
            from round in Enumerable.Range(0, options.Rounds)
            from broker in options.Brokers
            from workers in options.Workers
            select (Round: round, Broker: broker, Workers: workers)).ToList();
        Console.WriteLine($"{done} of {plan.Count} steps are done already, {options.Processes} processes in each");
        using var noise = new Noise(options.Noise);
        foreach (var (round, broker, workers) in plan.Skip(done))
        {
            if (Stopwatch.GetElapsedTime(start).TotalMinutes > options.Minutes)
                break;
            var servers = broker == BenchOptions.Real ? options.BootstrapServers : null;
            var outcomes = await Task.WhenAll(Enumerable.Range(0, options.Processes).Select(process =>
                SuiteProcess.RunAsync("Kit", workers, servers, (round * 1000) + (workers * 10) + process)));
            if (outcomes.FirstOrDefault(outcome => !outcome.IsGreen) is { } failed)
            {
                Console.WriteLine($"round {round}, {broker}, {workers} worker(s): {failed.Passed} passed, exit {failed.ExitCode}");
                Console.WriteLine(failed.Output);
                return 1;
            }
            File.AppendAllText(options.State, string.Create(CultureInfo.InvariantCulture,
                $"{round} {broker} {workers} {outcomes.Max(outcome => outcome.Command.TotalSeconds):0.0}\n"));
            done++;
            if (!await IsCleanAsync(outcomes))
                return 1;
        }
        Console.WriteLine(
            $"{done} of {plan.Count} steps done, {done * options.Processes} runs of {SuiteProcess.Tests} tests, no failure, nothing left");
        return 0;
    }

    private async Task<bool> IsCleanAsync(SuiteOutcome[] outcomes)
    {
        var left = await Leavings.FindAsync(options, outcomes);
        foreach (var one in left)
            Console.WriteLine($"left behind: {one}");
        return left.Count == 0;
    }
}
