using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Runs;

/// <summary>
/// A suite's runner runs parts of one assembly's tests and judges each run. The real one starts processes; the other side is a suite made
/// up of
/// rules, on which verdicts are tried in numbers that no processes allow.
/// </summary>
internal interface ISuiteRunner
{
    TestAssembly Assembly { get; }

    Catalogue Catalogue { get; }

    /// <summary>How many tests never run, by the suite's own word.</summary>
    int Skipped { get; }

    TimeSpan Timeout { get; }

    bool ImposesOrder { get; }

    string OrderNote { get; }

    Task<RunRecord> RunAsync(RunSpec spec, CancellationToken cancellation);
}
