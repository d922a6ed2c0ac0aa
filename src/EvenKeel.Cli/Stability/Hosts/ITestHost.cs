using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>A test host knows how one kind of test assembly is listed, started and understood.</summary>
internal interface ITestHost
{
    TestAssembly Assembly { get; }

    /// <summary>Exit codes that a failed test explains.</summary>
    IReadOnlyList<int> FailureCodes { get; }

    /// <summary>Whether the order of tests can be given from outside.</summary>
    bool ImposesOrder { get; }

    /// <summary>What orders it runs in, where it takes none.</summary>
    string OrderNote { get; }

    /// <summary>How much longer than its limit a run may take before it is ended from outside.</summary>
    TimeSpan Grace { get; }

    /// <summary>Whether its list holds only what the filter lets through.</summary>
    bool FiltersItself { get; }

    /// <summary>The command that lists the tests; a host that needs two lists is asked for the full names first.</summary>
    HostCommand? List(RunFolder folder, bool fullNames);

    /// <summary>What the listing said, by its lines.</summary>
    IReadOnlyList<TestCase> ReadList(IReadOnlyList<string> output, RunFolder folder);

    /// <summary>The command that runs what the specification says.</summary>
    HostCommand Run(RunSpec spec, Catalogue catalogue, RunFolder folder);

    /// <summary>Takes one line of the output, at so many seconds from the start; false if it is not the host's own.</summary>
    bool ReadLine(string line, double second, Catalogue catalogue, RunObservation seen);

    /// <summary>Takes the result file, after the process has ended at so many seconds from the start.</summary>
    void ReadFile(RunFolder folder, DateTimeOffset started, Catalogue catalogue, RunObservation seen);
}

/// <summary>A host's command is a program, its arguments, and what it needs in its environment.</summary>
internal sealed record HostCommand(string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment);

/// <summary>
/// A run's folder holds what one run was given and left: its result files, and a temporary folder of its own that goes with it.
/// </summary>
internal sealed record RunFolder(string Results, string Temporary)
{
    /// <summary>Both folders, empty: what an earlier call left there would be taken for this run's results.</summary>
    public static RunFolder CreateEmpty(string results, string temporary)
    {
        foreach (var folder in new[] { results, temporary })
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
            Directory.CreateDirectory(folder);
        }
        return new(results, temporary);
    }

    public string Trx => Path.Combine(Results, "results.trx");

    public string Arguments => Path.Combine(Results, "arguments.txt");

    public string Order => Path.Combine(Results, "order.txt");

    /// <summary>Written by the hook where it can impose an order on the framework that it found.</summary>
    public string OrderImposed => Order + ".imposed";

    public string Settings => Path.Combine(Results, "run.runsettings");

    public string Names => Path.Combine(Results, "names.txt");

    public string Remains => Path.Combine(Results, "remains.txt");
}
