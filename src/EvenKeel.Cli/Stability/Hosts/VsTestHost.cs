using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>
/// The host of every suite that VSTest runs: xunit v2, NUnit, MSTest. It tells nothing while it goes; the TRX file tells the tests and
/// their
/// times, a list of all tests what is missing in it, and its watch over single tests which one was running when it ended.
/// </summary>
internal sealed class VsTestHost(TestAssembly assembly, string? filter) : ITestHost
{
    private const string Inactive = "The specified inactivity time";

    private int _listed;
    private int _runs;

    public TestAssembly Assembly => assembly;

    public IReadOnlyList<int> FailureCodes { get; } = [1];

    /// <summary>NUnit, by the start-up hook, if the hook found in this version what it needs.</summary>
    public bool ImposesOrder { get; private set; }

    public string OrderNote => assembly.Framework switch
    {
        TestFramework.MSTest => "orders and their reverse: MSTest takes a seed only, so orders were drawn from seeds",
        TestFramework.NUnit => "orders other than NUnit's own, which this version takes from nobody: a test that fails only behind later "
            + "ones was not seen",
        _ => "orders and their reverse: xunit v2 draws one of its classes in each process, and keeps the one within a class",
    };

    /// <summary>Its own watch ends a test at the time-out and names it; only if that fails the process is ended from here.</summary>
    public TimeSpan Grace { get; } = TimeSpan.FromSeconds(20);

    public bool FiltersItself => filter is not null;

    // The names for people and the full names come as two lists in one order; the second leaves out rows of theories.
    public HostCommand? List(RunFolder folder, bool fullNames)
    {
        List<string> arguments = ["vstest", assembly.Path];
        arguments.AddRange(fullNames ? ["--ListFullyQualifiedTests", $"--ListTestsTargetPath:{folder.Names}"] : ["--ListTests"]);
        if (filter is not null)
            arguments.Add($"--TestCaseFilter:{filter}");
        return new("dotnet", arguments, OrderIn(folder, []));
    }

    public IReadOnlyList<TestCase> ReadList(IReadOnlyList<string> output, RunFolder folder)
    {
        var names = output.SkipWhile(line => !line.Contains("following Tests are available", StringComparison.Ordinal)).Skip(1)
            .Where(line => line.StartsWith("    ", StringComparison.Ordinal)).Select(line => line[4..]).ToList();
        var fullNames = File.Exists(folder.Names) ? File.ReadAllLines(folder.Names) : [];
        var tests = VsTestNames.Join(names, fullNames);
        // NUnit runs a namespace as it does a class: together.
        if (assembly.Framework == TestFramework.NUnit)
            tests = [.. tests.Select(test => test with { Path = [.. test.Class.Split('.'), test.Method] })];
        _listed = tests.Count;
        ImposesOrder = File.Exists(folder.OrderImposed);
        return tests;
    }

    public HostCommand Run(RunSpec spec, Catalogue catalogue, RunFolder folder)
    {
        _runs++;
        var run = new XElement("RunConfiguration", new XElement("ResultsDirectory", folder.Results));
        if (!ImposesOrder && (FiltersItself || spec.Order.Count < _listed))
            run.Add(new XElement("TestCaseFilter", string.Join('|', spec.Order.Select(test => NameTerm(catalogue[test])).Distinct())));
        var settings = new XElement("RunSettings", run, WorkersOf(spec));
        using (var writer = XmlWriter.Create(folder.Settings, new() { CheckCharacters = false }))
            settings.Save(writer);
        var seconds = Math.Max(1, (int)(spec.Limit ?? TimeSpan.FromMinutes(10)).TotalSeconds);
        return new("dotnet",
        [
            "vstest", assembly.Path, $"--Settings:{folder.Settings}", $"--logger:trx;LogFileName={folder.Trx}",
            $"--Blame:CollectHangDump;TestTimeout={seconds}s;HangDumpType=None",
        ], ImposesOrder ? OrderIn(folder, spec.Order.Select(test => catalogue[test].VsTestName)) : new Dictionary<string, string>());
    }

    // An order of no tests is the question whether one can be imposed.
    private Dictionary<string, string> OrderIn(RunFolder folder, IEnumerable<string> names)
    {
        if (assembly.Framework != TestFramework.NUnit)
            return [];
        File.WriteAllLines(folder.Order, names);
        return new() { ["EVENKEEL_ORDER"] = folder.Order };
    }

    public bool ReadLine(string line, double second, Catalogue catalogue, RunObservation seen)
    {
        if (line.Contains(Inactive, StringComparison.Ordinal))
            seen.Hang();
        return false;
    }

    public void ReadFile(RunFolder folder, DateTimeOffset started, Catalogue catalogue, RunObservation seen)
    {
        var heard = new int[catalogue.Count];
        foreach (var entry in TrxFile.Read(folder.Trx).OrderBy(entry => entry.Start))
        {
            var test = catalogue.Find(VsTestNames.Id(entry.Class, entry.Name));
            if (test < 0 || entry.Outcome == TestOutcome.Unheard)
                continue;
            seen.Start(test, Second(entry.Start, started));
            // Of several tests with one name each has to report; a failure of one is enough.
            if (++heard[test] >= catalogue[test].Times || entry.Outcome == TestOutcome.Failed)
                seen.Report(test, entry.Outcome, entry.Failure);
            seen.End(test, Second(entry.End, started));
        }
        var errors = TrxFile.ErrorsOf(folder.Trx);
        foreach (var error in errors)
            seen.Trouble(error);
        if (File.Exists(folder.Trx) && errors.Count == 0)
            seen.Finish();
        else
            ReadSequence(folder, catalogue, seen);
    }

    // Who had begun and not ended, as the watch wrote it down; a process that dies at once takes that with it.
    private static void ReadSequence(RunFolder folder, Catalogue catalogue, RunObservation seen)
    {
        foreach (var file in Directory.EnumerateFiles(folder.Results, "Sequence_*.xml", SearchOption.AllDirectories))
        {
            foreach (var told in TrxFile.Load(file)?.Descendants("Test").Where(told => told.Attribute("Completed")?.Value == "False") ?? [])
            {
                var name = told.Attribute("DisplayName")?.Value ?? "";
                var full = told.Attribute("Name")?.Value ?? "";
                var test = catalogue.Find(VsTestNames.Id(VsTestNames.ClassOf(full), name));
                if (test >= 0 && seen.Outcomes[test] == TestOutcome.Unheard)
                    seen.Start(test, 0);
            }
        }
    }

    private XElement WorkersOf(RunSpec spec)
    {
        var workers = spec.Workers.ToString(CultureInfo.InvariantCulture);
        switch (assembly.Framework)
        {
            case TestFramework.NUnit:
                return new("NUnit", new XElement("NumberOfTestWorkers", spec.Workers == 1 ? "0" : workers));
            case TestFramework.MSTest:
                var settings = new XElement("MSTest",
                    new XElement("Parallelize", new XElement("Workers", workers), new XElement("Scope", "ClassLevel")));
                if (!spec.Order.SequenceEqual(spec.Order.Order()) || spec.Purpose is "order" or "bisect")
                {
                    settings.Add(new XElement("RandomizeTestOrder", "true"), new XElement("RandomTestOrderSeed", _runs));
                }
                return settings;
            default:
                return new("xUnit", new XElement("MaxParallelThreads", workers),
                    new XElement("ParallelizeTestCollections", spec.Workers == 1 ? "false" : "true"));
        }
    }

    private static string NameTerm(TestCase test) =>
        "FullyQualifiedName=" + string.Concat(test.VsTestName.Select(letter => "\\()&|=!~".Contains(letter, StringComparison.Ordinal)
            ? $"\\{letter}"
            : $"{letter}"));

    private static double Second(DateTimeOffset? time, DateTimeOffset started) => time is { } known
        ? Math.Max(0, (known - started).TotalSeconds) : 0;
}
