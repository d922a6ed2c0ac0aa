using System.Globalization;
using System.Xml.Linq;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>
/// The host of every suite that VSTest runs: xunit v2, NUnit, MSTest. It tells nothing while it goes; the TRX file tells the tests and
/// their
/// times, and a list of all tests what is missing in it.
/// </summary>
internal sealed class VsTestHost(TestAssembly assembly) : ITestHost
{
    public TestAssembly Assembly => assembly;

    public IReadOnlyList<int> FailureCodes { get; } = [1];

    public bool ImposesOrder => false;

    // A run that is not to be judged is what tells names, classes and display names alike: the list alone has one of them.
    public HostCommand List(RunFolder folder) => new(
        "dotnet", ["vstest", assembly.Path, "--ListTests"], Variables(RunConditions.Quiet));

    public IReadOnlyList<TestCase> ReadList(string output, RunFolder folder)
    {
        var lines = output.Split('\n').SkipWhile(line => !line.Contains("following Tests are available", StringComparison.Ordinal)).Skip(1);
        return [.. lines.Where(line => line.StartsWith("    ", StringComparison.Ordinal)).Select(line => line.Trim())
            .Select((name, index) => new TestCase(index, name, name, ClassOf(name), name))];
    }

    public HostCommand Run(RunSpec spec, Catalogue catalogue, RunFolder folder)
    {
        var settings = new XElement("RunSettings", new XElement("RunConfiguration", new XElement("ResultsDirectory", folder.Results)));
        var workers = spec.Workers.ToString(CultureInfo.InvariantCulture);
        settings.Add(assembly.Framework switch
        {
            TestFramework.NUnit => new XElement("NUnit", new XElement("NumberOfTestWorkers", spec.Workers == 1 ? "0" : workers)),
            TestFramework.MSTest => new XElement("MSTest", new XElement("Parallelize",
                new XElement("Workers", workers), new XElement("Scope", "ClassLevel"))),
            _ => new XElement("xUnit", new XElement("MaxParallelThreads", workers),
                new XElement("ParallelizeTestCollections", spec.Workers == 1 ? "false" : "true")),
        });
        new XDocument(settings).Save(folder.Settings);
        List<string> arguments = ["vstest", assembly.Path, $"--Settings:{folder.Settings}", $"--logger:trx;LogFileName={folder.Trx}"];
        if (spec.Order.Count < catalogue.Count)
            arguments.Add("--Tests:" + string.Join(',',
                spec.Order.Select(test => catalogue[test].FullName.Replace(",", "\\,", StringComparison.Ordinal)).Distinct()));
        return new("dotnet", arguments, Variables(spec.Conditions));
    }

    public bool ReadLine(string line, double second, Catalogue catalogue, RunObservation seen) => false;

    public void ReadFile(RunFolder folder, DateTimeOffset started, Catalogue catalogue, RunObservation seen)
    {
        foreach (var entry in TrxFile.Read(folder.Trx).OrderBy(entry => entry.Start))
        {
            var test = catalogue.Find(entry.Name);
            if (test < 0 || entry.Outcome == TestOutcome.Unheard)
                continue;
            seen.Start(test, Second(entry.Start, started));
            seen.Report(test, entry.Outcome, entry.Failure);
            seen.End(test, Second(entry.End, started));
        }
        foreach (var error in TrxFile.ErrorsOf(folder.Trx))
            seen.Trouble(error);
        if (File.Exists(folder.Trx) && seen.Troubles.Count == 0)
            seen.Finish();
    }

    public string CommandFor(TestCase test) => $"dotnet vstest {Shell.Quote(assembly.Path)} --Tests:{Shell.Quote(test.FullName)}";

    private static double Second(DateTimeOffset? time, DateTimeOffset started) => time is { } known
        ? Math.Max(0, (known - started).TotalSeconds) : 0;

    private static string ClassOf(string name)
    {
        var plain = name.Split('(')[0];
        return plain.LastIndexOf('.') is var dot and > 0 ? plain[..dot] : "";
    }

    private static Dictionary<string, string> Variables(RunConditions conditions) => [];
}
