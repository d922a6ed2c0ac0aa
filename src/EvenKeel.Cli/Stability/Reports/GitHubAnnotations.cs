using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>
/// GitHub annotations are lines that its runner turns into marks on a change; it shows ten of a kind, so the worst come first.
/// </summary>
internal static class GitHubAnnotations
{
    private const int Shown = 10;

    public static IEnumerable<string> Of(StabilityReport report, bool isOnGitHub) => !isOnGitHub
        ? []
        : report.Tests.Where(test => test.IsUnstable && !test.IsKnown)
            .OrderBy(test => Rank(test.Verdict)).ThenByDescending(test => test.Failures)
            .Take(Shown)
            .Select(test => $"::error title={Escape(Words.Of(test.Verdict) + ": " + test.Name, isProperty: true)}::"
                + Escape($"{test.Cause}. Failed {test.Failures} of {test.Runs}. {test.Reproduce}", isProperty: false));

    private static int Rank(TestVerdict verdict) => verdict switch
    {
        TestVerdict.Crash => 0,
        TestVerdict.Hang => 1,
        TestVerdict.OrderDependent => 2,
        TestVerdict.Race => 3,
        _ => 4,
    };

    private static string Escape(string text, bool isProperty)
    {
        var escaped = text.Replace("%", "%25", StringComparison.Ordinal).Replace("\r", "%0D", StringComparison.Ordinal)
            .Replace("\n", "%0A", StringComparison.Ordinal);
        return isProperty ? escaped.Replace(":", "%3A", StringComparison.Ordinal).Replace(",", "%2C", StringComparison.Ordinal) : escaped;
    }
}
