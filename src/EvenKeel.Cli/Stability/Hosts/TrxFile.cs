using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using EvenKeel.Cli.Stability.Runs;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>One line of a TRX file. Its counters are not read: they say "passed" of a run that was aborted.</summary>
internal sealed record TrxEntry(string Name, string Class, TestOutcome Outcome, Failure? Failure)
{
    public DateTimeOffset? Start { get; init; }

    public DateTimeOffset? End { get; init; }
}

/// <summary>
/// A TRX file is what test hosts write about a run; one that is missing or broken has nothing to tell, which is never green.
/// </summary>
internal static class TrxFile
{
    public static IReadOnlyList<TrxEntry> Read(string path)
    {
        if (Load(path) is not { Root: { } root })
            return [];
        var space = root.Name.Namespace;
        var classes = root.Descendants(space + "UnitTest")
            .Where(test => test.Attribute("id") is not null)
            .GroupBy(test => test.Attribute("id")!.Value)
            .ToDictionary(group => group.Key, group => group.First().Element(space + "TestMethod")?.Attribute("className")?.Value ?? "");
        return [.. root.Descendants(space + "UnitTestResult").Select(result => Entry(result, classes))];
    }

    /// <summary>Errors of the run itself, as RunInfos tells them.</summary>
    public static IReadOnlyList<string> ErrorsOf(string path) =>
        Load(path) is not { Root: { } root }
            ? []
            : [.. root.Descendants(root.Name.Namespace + "RunInfo")
                .Where(told => told.Attribute("outcome")?.Value is "Error" or "Failed" or "Aborted")
                .Select(told => told.Value.Trim())];

    private static TrxEntry Entry(XElement result, Dictionary<string, string> classes)
    {
        var space = result.Name.Namespace;
        var error = result.Element(space + "Output")?.Element(space + "ErrorInfo");
        var outcome = result.Attribute("outcome")?.Value switch
        {
            "Passed" => TestOutcome.Passed,
            "NotExecuted" or "Inconclusive" or "NotRunnable" => TestOutcome.Skipped,
            null or "InProgress" or "Pending" or "Disconnected" or "Aborted" => TestOutcome.Unheard,
            _ => TestOutcome.Failed,
        };
        return new(
            result.Attribute("testName")?.Value ?? "",
            classes.GetValueOrDefault(result.Attribute("testId")?.Value ?? "", ""),
            outcome,
            outcome == TestOutcome.Failed
                ? new(error?.Element(space + "Message")?.Value ?? "", error?.Element(space + "StackTrace")?.Value ?? "")
                : null)
        {
            Start = Time(result, "startTime"),
            End = Time(result, "endTime"),
        };
    }

    private static DateTimeOffset? Time(XElement result, string name) =>
        DateTimeOffset.TryParse(
            result.Attribute(name)?.Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    /// <summary>An XML file, or nothing where there is none that is whole.</summary>
    public static XDocument? Load(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            return XDocument.Load(path);
        }
        catch (XmlException)
        {
            // Cut off with the process that wrote it: its tests are then missing, and the run is not green.
            return null;
        }
    }
}
