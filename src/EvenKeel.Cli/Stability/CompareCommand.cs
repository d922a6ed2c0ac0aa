using System.CommandLine;
using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Reports;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability;

/// <summary><c>evenkeel stability compare A.json B.json</c>: what got worse from A to B. Exit 0: nothing; 1: something; 2: usage.</summary>
internal static class CompareCommand
{
    private const double Significant = 0.05;

    public static Command Create()
    {
        var before = new Argument<string>("A.json") { Description = "The report before." };
        var after = new Argument<string>("B.json") { Description = "The report after." };
        var command = new Command("compare", "What got worse from one report to another.") { before, after };
        command.SetAction(async (parsed, _) =>
        {
            var console = parsed.InvocationConfiguration;
            var first = WrittenReport.Read(parsed.GetRequiredValue(before), before.Name);
            var second = WrittenReport.Read(parsed.GetRequiredValue(after), after.Name);
            foreach (var violation in new[] { first.Violation, second.Violation }.OfType<string>())
                await console.Error.WriteLineAsync(violation);
            if (first.Report is null || second.Report is null)
                return StabilityCommand.ExitUsage;
            var worse = Compare(first.Report, second.Report).ToList();
            foreach (var line in worse)
                await console.Output.WriteLineAsync(line);
            await console.Output.WriteLineAsync(worse.Count == 0 ? "Nothing got worse." : $"{worse.Count} got worse.");
            return worse.Count == 0 ? 0 : 1;
        });
        return command;
    }

    /// <summary>
    /// A test is worse when it was stable, or not there, and is no more, or fails clearly more often; the suite, by what no test bears.
    /// </summary>
    private static IEnumerable<string> Compare(JsonObject before, JsonObject after)
    {
        var known = before["tests"]!.AsArray().OfType<JsonObject>().DistinctBy(test => test["name"]!.GetValue<string>())
            .ToDictionary(test => test["name"]!.GetValue<string>());
        foreach (var test in after["tests"]!.AsArray().OfType<JsonObject>())
        {
            var (name, now) = (test["name"]!.GetValue<string>(), test["verdict"]!.GetValue<string>());
            if (now == "stable")
                continue;
            var was = known.GetValueOrDefault(name);
            var then = was?["verdict"]!.GetValue<string>() ?? "not there";
            if (then is "stable" or "not there")
                yield return $"{name}: {then} before, {now} now. {test["cause"]}";
            else if (was is not null
                && Statistics.Fisher(Count(test, "failures"), Count(test, "runs"), Count(was, "failures"),
                Count(was, "runs")) < Significant)
                yield return $"{name}: {now}, failed {Count(was, "failures")} of {Count(was, "runs")} before, "
                    + $"{Count(test, "failures")} of {Count(test, "runs")} now";
        }
        if (IsSlow(after) && !IsSlow(before))
            yield return $"teardown: slow now, {after["teardown"]!["medianSeconds"]} s";
        var leaks = before["leaks"]!.AsArray().Select(Leak).ToHashSet();
        foreach (var leak in after["leaks"]!.AsArray().Select(Leak).Where(leak => !leaks.Contains(leak)))
            yield return $"leak: {leak}";
        foreach (var outcome in new[] { "crash", "hang" })
        {
            var (then, now) = (Runs(before, outcome), Runs(after, outcome));
            if (then == 0 && now > 0)
                yield return $"{outcome}: in {now} runs, in none before";
        }
    }

    private static int Count(JsonObject test, string member) => test[member]!.GetValue<int>();

    private static bool IsSlow(JsonObject report) => report["teardown"]!["verdict"]!.GetValue<string>() == "slow-teardown";

    private static string Leak(JsonNode? leak) => $"{leak!["kind"]} {leak["what"]}";

    private static int Runs(JsonObject report, string outcome) =>
        report["runs"]!.AsArray().Count(run => run!["outcome"]!.GetValue<string>() == outcome);
}
