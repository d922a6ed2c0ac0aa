namespace EvenKeel.Cli.Stability.Reports;

internal static class MarkdownReport
{
    public static string Write(StabilityReport report) => VerdictText.Headline(report);
}
