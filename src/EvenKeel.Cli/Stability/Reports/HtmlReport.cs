namespace EvenKeel.Cli.Stability.Reports;

internal static class HtmlReport
{
    public static string Write(StabilityReport report) => VerdictText.Headline(report);
}
