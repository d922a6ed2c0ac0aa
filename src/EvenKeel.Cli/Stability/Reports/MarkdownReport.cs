using System.Runtime.CompilerServices;
using System.Text;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary><c>report.md</c>: for a pull request or a job's summary, the most important first and cut where such a place ends.</summary>
internal static class MarkdownReport
{
    // GitHub takes a mebibyte of summary, and a comment of 65,536 letters.
    private const int MostLetters = 60_000;
    private const int MostTests = 50;

    public static string Write(StabilityReport report)
    {
        var text = new StringBuilder();
        // The program runs without cultures: its numbers are everybody's.
        void Line(DefaultInterpolatedStringHandler line) => text.AppendLine(line.ToStringAndClear());
        Line($"# Stability: {report.Verdict}");
        Line($"\n{Escape(VerdictText.Headline(report))}\n");
        if (report.Levels.Count > 0)
        {
            Line($"| workers | runs | green | median | speed-up |\n|---|---|---|---|---|");
            foreach (var level in report.Levels)
                Line($"| {level.Workers} | {level.Iterations} | {level.PassedRuns} | {level.MedianSeconds:0.0} s | {level.Speedup:0.00} |");
        }
        var shown = report.Tests.Where(test => test.Verdict != TestVerdict.Stable).OrderBy(test => test.IsKnown)
            .ThenByDescending(test => test.IsUnstable).ThenByDescending(test => test.Failures).ToList();
        foreach (var test in shown.Take(MostTests))
        {
            if (text.Length > MostLetters)
                break;
            Line($"\n## {Words.Of(test.Verdict)}{(test.IsKnown ? " (known)" : "")}: {Escape(test.Name)}\n");
            Line($"{Escape(test.Cause)}. Failed {test.Failures} of {test.Runs}, {VerdictText.Interval(test)}.\n");
            foreach (var evidence in test.Evidence)
                Line($"- {Escape(evidence)}");
            if (test.Reproduce.Length > 0)
                Line($"\n```sh\n{test.Reproduce}\n```");
        }
        if (shown.Count > MostTests)
            Line($"\n{shown.Count - MostTests} more in report.html.");
        foreach (var run in report.UnexplainedRuns.Take(10))
            Line($"\n- **{Words.Of(run.Record.Outcome)}** of a run by {run.Record.Spec.Workers} worker(s): "
                + $"{Escape(run.Record.Explanation)}");
        foreach (var leak in report.Leaks)
            Line($"\n- **leak**: {leak.Kind}, {Escape(leak.What)}{(leak.Test is null ? "" : $", by {Escape(leak.Test)}")}");
        if (report.Teardown.IsSlow)
            Line($"\n- **slow teardown**: {report.Teardown.MedianSeconds:0.0} s, {Escape(string.Join(", ", report.Teardown.HeldBy))}");
        if (report.NotDone.Count > 0)
            Line($"\n## Not done\n");
        foreach (var left in report.NotDone)
            Line($"- {Escape(left)}");
        Line($"\nSeed {report.Seed}; {report.Experiments} experiments; {report.Seconds:0} s.");
        return text.Length > MostLetters * 2 ? text.ToString(0, MostLetters * 2) : text.ToString();
    }

    private static string Escape(string text) =>
        text.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace("_", "\\_", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal);
}
