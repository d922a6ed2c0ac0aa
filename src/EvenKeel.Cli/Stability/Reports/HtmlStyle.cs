namespace EvenKeel.Cli.Stability.Reports;

/// <summary>How the page looks, on a phone and on a desk, by day and by night: <c>report.css</c>, written into the page.</summary>
internal static class HtmlStyle
{
    public static string Text { get; } = Read();

    private static string Read()
    {
        using var stream = typeof(HtmlStyle).Assembly.GetManifestResourceStream("report.css")
            ?? throw new InvalidOperationException("report.css is not in the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
