using System.Globalization;
using System.Text;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>The verdict in plain words, as the terminal shows it.</summary>
internal static class VerdictText
{
    public static string Of(StabilityReport report, string folder)
    {
        var text = new StringBuilder().AppendLine().AppendLine(Headline(report));
        foreach (var test in report.Tests.Where(test => test.Verdict != TestVerdict.Stable).OrderBy(test => test.Verdict))
        {
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture,
                $"{Words.Of(test.Verdict),-16}{test.Name}{(test.IsKnown ? " (known)" : "")}");
            text.AppendLine(CultureInfo.InvariantCulture,
                $"                {test.Cause}; failed {test.Failures} of {test.Runs}, {Interval(test)}");
            if (test.Reproduce.Length > 0)
                text.AppendLine(CultureInfo.InvariantCulture, $"                {test.Reproduce}");
        }
        foreach (var run in report.UnexplainedRuns)
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture,
                $"{Words.Of(run.Record.Outcome),-16}a run by {run.Record.Spec.Workers} worker(s): {run.Record.Explanation}");
        foreach (var leak in report.Leaks)
            text.AppendLine(CultureInfo.InvariantCulture,
                $"leak            {leak.Kind}: {leak.What}, in {leak.Runs} runs{(leak.Test is null ? "" : $", by {leak.Test}")}");
        if (report.Teardown.IsSlow)
            text.AppendLine(CultureInfo.InvariantCulture,
                $"slow teardown   median {report.Teardown.MedianSeconds:0.0} s, held by {string.Join(", ", report.Teardown.HeldBy)}");
        foreach (var left in report.NotDone)
            text.AppendLine(CultureInfo.InvariantCulture, $"not done        {left}");
        return text.AppendLine(CultureInfo.InvariantCulture, $"Report: {Path.Combine(folder, "report.html")}").ToString().TrimEnd();
    }

    /// <summary>One sentence: the verdict, what was run, and what that proves.</summary>
    public static string Headline(StabilityReport report)
    {
        var runs = report.Runs.Count(run => run.Record.Counts);
        var stable = report.Tests.Count(test => test.Verdict == TestVerdict.Stable);
        return report.Verdict switch
        {
            "not-run" => $"NOT RUN. {report.NotRunReason ?? NothingCounts(report)}",
            "stable" => $"STABLE{Known(report)} in {runs} run{(runs == 1 ? "" : "s")} of {report.Tests.Count} tests{Interrupted(report)}. "
                + Proven(report),
            "broken" => $"BROKEN: {report.Broken.Count()} of {report.Tests.Count} tests fail in every run; no instability in {runs} "
                + $"runs{Interrupted(report)}. {Proven(report)}",
            _ => $"UNSTABLE: {report.Unstable.Count()} of {report.Tests.Count} tests, in {runs} runs{Interrupted(report)}; {stable} "
                + $"showed nothing. {Proven(report)}",
        };
    }

    private static string Known(StabilityReport report) =>
        report.Tests.Count(test => test.IsKnown && test.Verdict != TestVerdict.Stable) is var known and > 0
            ? $", but for {known} known,"
            : "";

    /// <summary>What the clean runs of the test with the fewest of them prove, so that it holds for every one.</summary>
    public static string Proven(StabilityReport report)
    {
        var clean = report.Tests.Where(test => test is { Verdict: TestVerdict.Stable, Runs: > 0, Failures: 0 }).ToList();
        if (clean.Count == 0)
            return "Nothing is proven of any test.";
        var least = clean.Min(test => test.Runs);
        var prove = least == 1 ? "run of a test proves" : "runs of a test prove";
        return $"{least} clean {prove} that it fails in less than {Percent(Statistics.ProvenBelow(least))} of runs like "
            + $"these (95 %), no more.";
    }

    public static string Interval(TestReport test)
    {
        var (low, high) = Statistics.Wilson(test.Failures, test.Runs);
        return $"95 % interval {Percent(low)} to {Percent(high)}";
    }

    public static string Percent(double share)
        => (share * 100).ToString(share is > 0 and < 0.01 ? "0.##" : "0.#", CultureInfo.InvariantCulture) + " %";

    private static string NothingCounts(StabilityReport report) => report.Runs.Count == 0
        ? "No run was completed."
        : "In every run the surroundings failed: most tests, with one message.";

    private static string Interrupted(StabilityReport report) => report.IsInterrupted ? ", cut off" : "";
}
