using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Experiments;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>The report is everything that was found, in the form that every file of it is written from.</summary>
internal sealed record StabilityReport
{
    public const int SchemaVersion = 1;

    /// <summary>The exit code when nothing can be said of the suite.</summary>
    public const int ExitNotRun = 3;

    public required int Seed { get; init; }

    public required string Suite { get; init; }

    public required IReadOnlyList<TestReport> Tests { get; init; }

    public required IReadOnlyList<RunReport> Runs { get; init; }

    public required IReadOnlyList<LevelReport> Levels { get; init; }

    public required TeardownFinding Teardown { get; init; }

    public required IReadOnlyList<LeakReport> Leaks { get; init; }

    public required IReadOnlyList<string> NotDone { get; init; }

    public JsonObject SuiteNumbers { get; init; } = [];

    public int Experiments { get; init; }

    public double Seconds { get; init; }

    /// <summary>When it was cut off by the person who started it.</summary>
    public bool IsInterrupted { get; init; }

    /// <summary>Why nothing could be run, when nothing could.</summary>
    public string? NotRunReason { get; init; }

    public IEnumerable<TestReport> Unstable => Tests.Where(test => test.IsUnstable);

    public IEnumerable<TestReport> Broken => Tests.Where(test => test.Verdict == TestVerdict.Broken);

    /// <summary>Runs that were not green and that no test's verdict explains.</summary>
    public IReadOnlyList<RunReport> UnexplainedRuns
    {
        get
        {
            var blamed = Tests.Where(test => test.Verdict is not (TestVerdict.Stable or TestVerdict.Infrastructure))
                .SelectMany(test => test.Related.Append(test.Name)).ToHashSet(StringComparer.Ordinal);
            var endsProcesses = Tests.Any(test => test.Verdict is TestVerdict.Crash or TestVerdict.Hang);
            return [.. Runs.Where(run => run.Record.Outcome switch
            {
                RunOutcome.Crash or RunOutcome.Hang => !endsProcesses || (run.Running.Count > 0 && !run.Running.Any(blamed.Contains)),
                // A test that did not report is not explained by another one that failed. A framework may end a process that does not
                // end by itself, with an exit code of its own.
                RunOutcome.Failed => run.Missing.Count > 0 || run.Record.Failures.Count == 0
                    && !(Teardown.IsSlow && RemainsExperiment.IsSlow(run.Record)),
                _ => false,
            })];
        }
    }

    /// <summary>The word over everything; a baseline excuses tests, not what cannot be pinned to one.</summary>
    public string Verdict
    {
        get
        {
            if (NotRunReason is not null || Runs.Count == 0 || Runs.All(run => !run.Record.Counts))
                return "not-run";
            var unexplained = UnexplainedRuns;
            var always = unexplained.Count == Runs.Count && unexplained.All(run => run.Record.Outcome == RunOutcome.Failed);
            if (Unstable.Any(test => !test.IsKnown) || (unexplained.Count > 0 && !always)
                || Leaks.Any(leak => leak.Test is null) || (Teardown.IsSlow && !TeardownIsPinned))
            {
                return "unstable";
            }
            return Broken.Any(test => !test.IsKnown) || always ? "broken" : "stable";
        }
    }

    public int ExitCode => IsInterrupted ? 130 : Verdict switch
    {
        "unstable" => 1,
        "not-run" => ExitNotRun,
        "broken" => 4,
        _ => 0,
    };

    /// <summary>What a run told of a test.</summary>
    public static TestOutcome OutcomeOf(TestReport test, RunReport run) =>
        test.Assembly == run.Assembly ? run.Record.Outcomes[test.Index] : TestOutcome.Unheard;

    private bool TeardownIsPinned => Tests.Any(test => test.Verdict is TestVerdict.SlowTeardown or TestVerdict.Hang);
}
