using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>Advice is what to do about a verdict, in a sentence or two.</summary>
internal static class Advice
{
    public static string For(TestVerdict verdict) => verdict switch
    {
        TestVerdict.OrderDependent
            => "Give the test the state it needs in its own set-up, or clean up what the test named here leaves: a static, "
            + "a file, a row. Put both into one collection only if the shared state is the point.",
        TestVerdict.Race => "Find what it shares with the tests that run beside it (a static, a port, a file name, a database) and "
            + "give each its "
            + "own; if it must be shared, put them into one collection.",
        TestVerdict.Timing => "Replace fixed delays and upper bounds on the clock by waiting for the condition itself, with a deadline "
            + "far above "
            + "what it takes.",
        TestVerdict.Flaky => "Nothing outside decides it: look inside for chance, unordered results, threads of its own, the clock.",
        TestVerdict.Crash => "The stack is in output.txt of the run's folder. An exception on a thread of its own, a fail-fast, a "
            + "stack overflow "
            + "or native code ends the process, and every other test's result with it.",
        TestVerdict.Hang => "Take a dump while it hangs (dotnet-dump, dotnet-stack) and look who waits for whom; give each wait a "
            + "deadline.",
        TestVerdict.Leak => "Dispose what the test opens, also when it fails: a using, a fixture, DisposeAsync.",
        TestVerdict.SlowTeardown => "Join or cancel what the test starts; make helper threads background threads.",
        TestVerdict.Environment
            => "Say in the code what the test assumes: an explicit culture, UTC, an injected clock, a fixed number of workers.",
        TestVerdict.Broken => "It fails every time: repair it or remove it; it says nothing about stability.",
        _ => "",
    };

    /// <summary>How much of a namespace can be trusted.</summary>
    public static string RiskOf(IReadOnlyList<TestReport> tests)
    {
        var share = (double)tests.Count(test => test.IsUnstable) / tests.Count;
        if (tests.Any(test => test.Verdict is TestVerdict.Crash or TestVerdict.Hang or TestVerdict.Race) || share >= 0.1)
            return "high";
        return share > 0 ? "medium" : "low";
    }
}
