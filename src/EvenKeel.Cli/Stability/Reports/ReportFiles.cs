namespace EvenKeel.Cli.Stability.Reports;

/// <summary>The files of a report, all written from the same one.</summary>
internal static class ReportFiles
{
    public static void Write(StabilityReport report, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "report.json"), ReportJson.Write(report));
        File.WriteAllText(Path.Combine(folder, "report.md"), MarkdownReport.Write(report));
        File.WriteAllText(Path.Combine(folder, "report.html"), HtmlReport.Write(report));
        JunitReport.Write(report).Save(Path.Combine(folder, "junit.xml"));
        File.WriteAllText(Path.Combine(folder, "ctrf.json"), CtrfReport.Write(report));
    }
}
