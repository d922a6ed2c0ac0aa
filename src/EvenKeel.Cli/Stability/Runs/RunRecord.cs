namespace EvenKeel.Cli.Stability.Runs;

internal enum TestOutcome : byte
{
    /// <summary>It was expected and nothing was heard of it, or it was not part of the run.</summary>
    Unheard,
    Passed,
    Failed,
    Skipped,
}

internal enum RunOutcome
{
    Passed,
    Failed,
    Crash,
    Hang,
    Infrastructure,
}

/// <summary>
/// A leak is something a run left behind: <c>process</c>, <c>file</c>, <c>socket</c>, <c>environment</c> or <c>thread</c>.
/// </summary>
internal readonly record struct Leak(string Kind, string What);

/// <summary>A failure is what a failed test said.</summary>
internal sealed record Failure(string Message, string Stack);

/// <summary>A run record is what one test process did, judged: an outcome, and what was heard of each test.</summary>
internal sealed record RunRecord(RunSpec Spec, RunOutcome Outcome, int ExitCode)
{
    public double Seconds { get; init; }

    /// <summary>From the end of the last test to the end of the process.</summary>
    public double TeardownSeconds { get; init; }

    /// <summary>By the test's index in the catalogue.</summary>
    public required TestOutcome[] Outcomes { get; init; }

    public required float[] StartSeconds { get; init; }

    public required float[] EndSeconds { get; init; }

    /// <summary>Tests in the order in which they started.</summary>
    public IReadOnlyList<int> Started { get; init; } = [];

    /// <summary>Tests that had started and not ended when the process did.</summary>
    public IReadOnlyList<int> Running { get; init; } = [];

    public IReadOnlyList<int> Missing { get; init; } = [];

    public IReadOnlyDictionary<int, Failure> Failures { get; init; } = new Dictionary<int, Failure>();

    public IReadOnlyList<Leak> Leaks { get; init; } = [];

    public IReadOnlyList<string> HeldBy { get; init; } = [];

    /// <summary>Why the run is not green where no test says so.</summary>
    public string Explanation { get; init; } = "";

    /// <summary>Where the raw results lie.</summary>
    public string Folder { get; init; } = "";

    /// <summary>A run in which the surroundings failed says nothing about tests.</summary>
    public bool Counts => Outcome != RunOutcome.Infrastructure;

    public bool Has(int test, TestOutcome outcome) => Counts && Outcomes[test] == outcome;
}
