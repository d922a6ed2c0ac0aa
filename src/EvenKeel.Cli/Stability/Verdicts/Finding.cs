using EvenKeel.Cli.Stability.Runs;

namespace EvenKeel.Cli.Stability.Verdicts;

/// <summary>What is held of a test.</summary>
internal enum TestVerdict
{
    Stable,
    Broken,
    Flaky,
    OrderDependent,
    Race,
    Timing,
    Crash,
    Hang,
    Leak,
    SlowTeardown,
    Environment,
    Infrastructure,
}

/// <summary>A finding is the verdict on one test that is not stable, with what it rests on.</summary>
internal sealed record Finding(int Test, TestVerdict Verdict, string Cause)
{
    public IReadOnlyList<string> Evidence { get; init; } = [];

    public IReadOnlyList<int> Related { get; init; } = [];

    /// <summary>The run that shows it again.</summary>
    public RunSpec? Replay { get; init; }
}

/// <summary>The words of the report.</summary>
internal static class Words
{
    public static string Of(TestVerdict verdict) => verdict switch
    {
        TestVerdict.OrderDependent => "order-dependent",
        TestVerdict.SlowTeardown => "slow-teardown",
        TestVerdict.Stable => "stable",
        TestVerdict.Broken => "broken",
        TestVerdict.Flaky => "flaky",
        TestVerdict.Race => "race",
        TestVerdict.Timing => "timing",
        TestVerdict.Crash => "crash",
        TestVerdict.Hang => "hang",
        TestVerdict.Leak => "leak",
        TestVerdict.Environment => "environment",
        _ => "infrastructure",
    };

    public static string Of(RunOutcome outcome) => outcome switch
    {
        RunOutcome.Passed => "passed",
        RunOutcome.Failed => "failed",
        RunOutcome.Crash => "crash",
        RunOutcome.Hang => "hang",
        _ => "infrastructure",
    };
}
