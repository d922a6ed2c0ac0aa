using System.CommandLine;
using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Hosts;
using EvenKeel.Cli.Stability.Reports;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability;

/// <summary>
/// <c>evenkeel stability replay REPORT.json TEST</c>: the run that shows a test's instability, again, until it shows. Exit 0: it did not
/// show;
/// 1: it did; 2: usage; 3: it could not be run.
/// </summary>
internal static class ReplayCommand
{
    private const int MostTries = 60;

    public static Command Create()
    {
        var report = new Argument<string>("REPORT.json") { Description = "The report of a run of 'evenkeel stability'." };
        var test = new Argument<string>("TEST") { Description = "The name of a test in it." };
        var command = new Command("replay", "Run what shows a test's instability again, order and conditions included.") { report, test };
        command.SetAction((parsed, cancellation) => RunAsync(
            parsed.GetRequiredValue(report), parsed.GetRequiredValue(test), parsed.InvocationConfiguration, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string file, string name, InvocationConfiguration console, CancellationToken cancellation)
    {
        await Task.Yield();
        var (entry, violation) = Find(file, name);
        if (entry is null)
        {
            await console.Error.WriteLineAsync(violation);
            return StabilityCommand.ExitUsage;
        }
        var replay = entry["replay"]!.AsObject();
        var path = replay["assembly"]!.GetValue<string>();
        if (!File.Exists(path))
        {
            await console.Error.WriteLineAsync(
                $"{path} is not there any more: build the suite, and run 'evenkeel stability' again if it moved.");
            return 3;
        }
        var raw = Path.Combine(Path.GetTempPath(), $"evenkeel-replay-{Environment.ProcessId}");
        var host = TestHosts.For(new(path, TestAssembly.Recognise(path), replay["project"]?.GetValue<string>()), null);
        var runner = new TestRunner(host, raw, TimeSpan.FromMinutes(10), TimeProvider.System);
        if (await runner.DiscoverAsync(_ => true, cancellation) is { } trouble)
        {
            await console.Error.WriteLineAsync(trouble);
            return 3;
        }
        var (spec, lost) = ReplayText.Read(replay, runner.Catalogue);
        if (spec is null)
        {
            await console.Error.WriteLineAsync(
                $"{lost.Count} tests of that run are not in {path} any more: run 'evenkeel stability' again.");
            return 3;
        }
        return await TryAsync(runner, spec, entry, console, cancellation);
    }

    private static async Task<int> TryAsync(
        TestRunner runner, RunSpec spec, JsonObject entry, InvocationConfiguration console, CancellationToken cancellation)
    {
        var name = entry["name"]!.GetValue<string>();
        var verdict = entry["verdict"]!.GetValue<string>();
        var rate = entry["failureRate"]!.GetValue<double>();
        var test = runner.Catalogue.Tests.FirstOrDefault(test => test.Name == name);
        var isCertain = verdict is "order-dependent" or "environment" or "broken" or "leak" or "slow-teardown" or "hang";
        var tries = isCertain ? (runner.ImposesOrder ? 3 : 20) : rate > 0
            ? Math.Clamp((int)Math.Ceiling(Math.Log(0.01) / Math.Log(1 - Math.Min(rate, 0.99))), 5, MostTries) : 30;
        await console.Output.WriteLineAsync(
            $"{name}: {verdict}. {spec.Order.Count} tests, {spec.Workers} worker(s), {spec.Conditions}; up to {tries} runs.");
        foreach (var each in spec.Order.Take(20))
            await console.Output.WriteLineAsync($"  {runner.Catalogue[each].Name}");
        for (var i = 1; i <= tries; i++)
        {
            var run = await runner.RunAsync(spec, cancellation);
            if (Shows(run, verdict, test?.Index ?? -1) is not { } shown)
            {
                await console.Output.WriteLineAsync($"run {i}: {name} did not show it");
                continue;
            }
            await console.Output.WriteLineAsync($"run {i}: reproduced. {shown}");
            return 1;
        }
        await console.Output.WriteLineAsync($"Not reproduced in {tries} runs.");
        return 0;
    }

    private static string? Shows(RunRecord run, string verdict, int test) => verdict switch
    {
        "crash" => run.Outcome == RunOutcome.Crash ? run.Explanation : null,
        "hang" => run.Outcome == RunOutcome.Hang ? run.Explanation : null,
        "leak" => run.Leaks.Count > 0 ? string.Join("; ", run.Leaks.Select(leak => $"{leak.Kind}: {leak.What}")) : null,
        "slow-teardown" => Experiments.RemainsExperiment.IsSlow(run) ? $"{run.TeardownSeconds:0.0} s to end" : null,
        _ => test >= 0 && run.Outcomes[test] == TestOutcome.Failed
            ? $"{run.Failures.GetValueOrDefault(test)?.Message}\n{run.Failures.GetValueOrDefault(test)?.Stack}"
            : null,
    };

    private static (JsonObject? Entry, string Violation) Find(string file, string name)
    {
        var (report, violation) = WrittenReport.Read(file, "REPORT.json");
        if (report is null)
            return (null, violation!);
        var tests = report["tests"]!.AsArray().OfType<JsonObject>().ToList();
        var found = tests.Where(test => test["name"]?.GetValue<string>() == name).ToList();
        if (found.Count == 0)
            found = tests.Where(test => test["name"]?.GetValue<string>().Contains(name, StringComparison.Ordinal) == true).ToList();
        return found switch
        {
            [] => (null, $"TEST is '{name}', which is not in {file}."),
            [var only] when only["replay"] is JsonObject => (only, ""),
            [var only] => (null, $"{only["name"]} is {only["verdict"]} in {file}: there is nothing to replay."),
            _ => (null, $"TEST is '{name}', which is part of {found.Count} names in {file}: write it out."),
        };
    }
}
