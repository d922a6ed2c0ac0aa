using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary><c>junit.xml</c>: one case a test; what is not stable is a failure whose type is its verdict.</summary>
internal static class JunitReport
{
    public static XDocument Write(StabilityReport report) => new(new XElement("testsuites",
        new XAttribute("name", "evenkeel stability"),
        report.Tests.GroupBy(test => test.Class).Select(suite => new XElement("testsuite",
            new XAttribute("name", Clean(suite.Key)),
            new XAttribute("tests", suite.Count()),
            new XAttribute("failures", suite.Count(test => test.Verdict != TestVerdict.Stable && !test.IsKnown)),
            suite.Select(Case)))));

    private static XElement Case(TestReport test)
    {
        var element = new XElement("testcase",
            new XAttribute("classname", Clean(test.Class)),
            new XAttribute("name", Clean(test.Name)),
            new XAttribute("time", test.MedianSeconds.ToString("0.####", CultureInfo.InvariantCulture)));
        var text = Clean($"failed {test.Failures} of {test.Runs}, "
            + $"{VerdictText.Interval(test)}\n{string.Join('\n', test.Evidence)}\n{test.Reproduce}\n{test.Failure?.Message}");
        if (test.IsKnown && test.Verdict != TestVerdict.Stable)
            element.Add(new XElement("skipped", new XAttribute("message", $"known: {Words.Of(test.Verdict)}")));
        else if (test.Verdict != TestVerdict.Stable)
            element.Add(new XElement("failure", new XAttribute("type", Words.Of(test.Verdict)),
                new XAttribute("message", Clean(test.Cause)), text));
        return element;
    }

    // Names and messages may hold letters that no XML document can.
    private static string Clean(string text) =>
        string.Concat(text.Select(letter => XmlConvert.IsXmlChar(letter) ? $"{letter}" : $"\\u{(int)letter:x4}"));
}
