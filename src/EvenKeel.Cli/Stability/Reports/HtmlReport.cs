using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>
/// <c>report.html</c>: one file with nothing beside it, without scripts; the verdict first, then the runs, then each test.
/// </summary>
internal static class HtmlReport
{
    private const int MostRows = 200;
    private const int MostOutputLetters = 4000;

    public static string Write(StabilityReport report)
    {
        var page = new StringBuilder();
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
            .Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
            .Append("<title>Stability: ").Append(report.Verdict).Append("</title><style>").Append(HtmlStyle.Text).Append(
                "</style></head><body>");
        Head(page, report);
        Levels(page, report);
        HeatMap(page, report);
        foreach (var test in Sorted(report).Where(test => test.Verdict != TestVerdict.Stable).Take(MostRows))
            Test(page, test);
        Remains(page, report);
        Areas(page, report);
        Suite(page, report);
        List(page, "Not done", report.NotDone);
        return page.Append("</body></html>\n").ToString();
    }

    private static void Head(StringBuilder page, StabilityReport report)
    {
        page.Append("<header class=\"").Append(report.Verdict).Append("\"><h1>").Append(Text(report.Verdict.ToUpperInvariant()))
            .Append("</h1><p>").Append(Text(VerdictText.Headline(report))).Append("</p><p class=\"quiet\">")
            .Append(Text(report.Suite)).Append(
                Number($" · seed {report.Seed} · {report.Runs.Count} runs and {report.Experiments} experiments in {report.Seconds:0} s"))
            .Append("</p></header>");
        var groups = report.Tests
            .GroupBy(test => test.Verdict).OrderByDescending(group => group.Key != TestVerdict.Stable).ThenBy(group => group.Key);
        page.Append("<ul class=\"counts\">");
        foreach (var group in groups)
            page.Append(Number($"<li class=\"v-{Words.Of(group.Key)}\"><b>{group.Count()}</b> {Words.Of(group.Key)}</li>"));
        page.Append("</ul>");
    }

    private static void Levels(StringBuilder page, StabilityReport report)
    {
        if (report.Levels.Count == 0)
            return;
        page.Append("<section><h2>Levels</h2><table><tr><th>workers<th>runs<th>green<th>median<th>speed-up<th></tr>");
        foreach (var level in report.Levels)
        {
            var width = level.Speedup is { } speedup ? Math.Min(100, speedup / level.Workers * 100) : 0;
            page.Append(Number($"<tr><td>{level.Workers}<td>{level.Iterations}<td>{level.PassedRuns}<td>{level.MedianSeconds:0.0} "
                + $"s<td>{level.Speedup:0.00}"))
                .Append(Number($"<td class=\"bar\"><i style=\"width:{width:0}%\"></i></tr>"));
        }
        page.Append("</table><p class=\"quiet\">Bars: the share of the ideal speed-up.");
        if (report.SuiteNumbers["longestChain"] is { } chain)
            page.Append(Number($" The longest chain, {chain["tests"]} tests one after another from {Text($"{chain["from"]}")}, takes "
                + $"{chain["seconds"]} s: no number of workers is faster."));
        page.Append("</p></section>");
    }

    private static void HeatMap(StringBuilder page, StabilityReport report)
    {
        var rows = Sorted(report).Take(MostRows).ToList();
        if (rows.Count == 0 || report.Runs.Count == 0)
            return;
        page.Append("<section><h2>Every test in every run</h2><div class=\"map\"><table><tr><th>");
        foreach (var run in report.Runs)
            page.Append("<th class=\"r-").Append(Words.Of(run.Record.Outcome)).Append("\" title=\"").Append(Text(RunTitle(run))).Append(
                "\">").Append(run.Record.Spec.Workers);
        page.Append("</tr>");
        foreach (var test in rows)
        {
            page.Append("<tr><th title=\"").Append(Text(test.Name)).Append("\"><a href=\"#").Append(Anchor(test)).Append("\">").Append(
                Text(Short(test.Name))).Append("</a>");
            foreach (var run in report.Runs)
                page.Append("<td class=\"").Append(CellOf(test, run)).Append("\">");
            page.Append("</tr>");
        }
        page.Append("</table></div><p class=\"quiet\">A column is a run, headed by its workers; green passed, red failed, the colour of "
            + "the text ended the process, grey was not heard of.");
        if (report.Tests.Count > rows.Count)
            page.Append(Number($" {report.Tests.Count - rows.Count} stable tests are not drawn."));
        page.Append("</p></section>");
    }

    private static string CellOf(TestReport test, RunReport run)
    {
        if (run.Running.Contains(test.Name) && run.Record.Outcome is RunOutcome.Crash or RunOutcome.Hang)
            return "c-end";
        return StabilityReport.OutcomeOf(test, run) switch
        {
            TestOutcome.Passed => "c-pass",
            TestOutcome.Failed => run.Record.Counts ? "c-fail" : "c-infra",
            TestOutcome.Skipped => "c-skip",
            _ => "c-none",
        };
    }

    private static void Test(StringBuilder page, TestReport test)
    {
        var verdict = Words.Of(test.Verdict);
        page.Append("<section class=\"test\" id=\"").Append(Anchor(test)).Append("\"><h2><span class=\"tag v-").Append(verdict).Append(
            "\">").Append(verdict)
            .Append("</span> ").Append(Text(test.Name)).Append(test.IsKnown ? " <small>known</small>"
                : "").Append("</h2><p><b>").Append(Text(test.Cause)).Append("</b></p><p>")
            .Append(Number($"Failed {test.Failures} of {test.Runs}: {VerdictText.Interval(test)}"));
        foreach (var (workers, (failures, runs)) in test.ByLevel)
            page.Append(Number($"; {failures} of {runs} by {workers}"));
        page.Append(test.ClusterSize > 1 ? Number($". {test.ClusterSize} tests fail with the same words.</p>") : ".</p>");
        List(page, null, test.Evidence);
        foreach (var related in test.Related)
            page.Append("<p>Related: <code>").Append(Text(related)).Append("</code></p>");
        if (test.Failure is { } failure)
            page.Append("<details><summary>What it said</summary><pre>").Append(Text(Cut(failure.Message + "\n" + failure.Stack))).Append(
                "</pre></details>");
        if (test.Reproduce.Length > 0)
            page.Append("<p>See it again:</p><pre class=\"command\">").Append(Text(test.Reproduce)).Append("</pre>");
        page.Append("<p class=\"advice\">").Append(Text(Advice.For(test.Verdict))).Append("</p></section>");
    }

    private static void Remains(StringBuilder page, StabilityReport report)
    {
        var lines = report.UnexplainedRuns
            .Select(run => $"{Words.Of(run.Record.Outcome)}: {RunTitle(run)}; running: {string.Join(", ", run.Running.Take(5))}")
            .Concat(report.Leaks.Select(leak
                => $"left behind ({leak.Kind}) in {leak.Runs} runs: {leak.What}{(leak.Test is null ? "" : $", by {leak.Test}")}"))
            .Append(string.Create(CultureInfo.InvariantCulture,
                $"from the last test's end to the end of the process: median {report.Teardown.MedianSeconds:0.0} s, worst "
                    + $"{report.Teardown.WorstSeconds:0.0} s"
                + $"{(report.Teardown.HeldBy.Count == 0 ? "" : ", held by " + string.Join(", ", report.Teardown.HeldBy))}"));
        List(page, "What no test result tells", [.. lines]);
    }

    private static void Areas(StringBuilder page, StabilityReport report)
    {
        if (report.Tests.Count == 0)
            return;
        page.Append("<section><h2>Areas</h2><table><tr><th>risk<th>namespace<th>tests<th>unstable<th>broken</tr>");
        foreach (var (area, risk) in report.Tests.GroupBy(test => test.Namespace).Select(area => (area, Risk: Advice.RiskOf([.. area])))
            .OrderBy(area => area.Risk switch { "high" => 0, "medium" => 1, _ => 2 }).Take(MostRows))
        {
            page.Append("<tr><td><span class=\"tag risk-").Append(risk).Append("\">").Append(risk).Append("</span><td>").Append(
                Text(area.Key))
                .Append(Number($"<td>{area.Count()}<td>{area.Count(test => test.IsUnstable)}<td>"))
                .Append(Number($"{area.Count(test => test.Verdict == TestVerdict.Broken)}</tr>"));
        }
        page.Append("</table></section>");
    }

    private static void Suite(StringBuilder page, StabilityReport report)
    {
        page.Append("<section><h2>The suite</h2><table>");
        foreach (var (name, value) in report.SuiteNumbers.Where(each => each.Value is System.Text.Json.Nodes.JsonValue))
            page.Append("<tr><th>").Append(Text(name)).Append("<td>").Append(Text($"{value}")).Append("</tr>");
        page.Append("</table></section>");
    }

    private static void List(StringBuilder page, string? heading, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return;
        page.Append(heading is null ? "<ul>" : $"<section><h2>{Text(heading)}</h2><ul>");
        foreach (var line in lines)
            page.Append("<li>").Append(Text(line));
        page.Append(heading is null ? "</ul>" : "</ul></section>");
    }

    private static IEnumerable<TestReport> Sorted(StabilityReport report) => report.Tests
        .OrderBy(test => test.IsKnown).ThenByDescending(test => test.IsUnstable).ThenBy(test => test.Verdict == TestVerdict.Stable)
        .ThenByDescending(test => test.Failures);

    private static string RunTitle(RunReport run) => Number(
        $"{Path.GetFileNameWithoutExtension(run.Assembly)}, {run.Record.Spec.Workers} worker(s), {run.Record.Spec.Purpose}, "
            + $"{run.Record.Spec.Conditions}: {Words.Of(run.Record.Outcome)} in {run.Record.Seconds:0.0} s, exit {run.Record.ExitCode} "
            + $"{run.Record.Explanation}");

    private static string Short(string name) => name.Length <= 60 ? name : "…" + name[^59..];

    private static string Cut(string text) => text.Length <= MostOutputLetters ? text : text[..MostOutputLetters] + "\n…";

    private static string Anchor(TestReport test) => $"t{string.GetHashCode(test.Name, StringComparison.Ordinal):x8}";

    // The program runs without cultures: its numbers are everybody's.
    private static string Number(DefaultInterpolatedStringHandler text) => text.ToStringAndClear();

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
