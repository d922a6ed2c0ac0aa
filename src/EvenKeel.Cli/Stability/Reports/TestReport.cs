using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>One test in the report: its verdict, its numbers, and what a person can paste to see it.</summary>
internal sealed record TestReport(string Name, string Class, TestVerdict Verdict, string Cause)
{
    /// <summary>The assembly it is in, and its place in that one's catalogue.</summary>
    public string Assembly { get; init; } = "";

    public int Index { get; init; }

    public int Failures { get; init; }

    public int Runs { get; init; }

    public IReadOnlyDictionary<int, (int Failures, int Runs)> ByLevel { get; init; } = new Dictionary<int, (int, int)>();

    public IReadOnlyList<string> Evidence { get; init; } = [];

    public IReadOnlyList<string> Related { get; init; } = [];

    public string Reproduce { get; init; } = "";

    /// <summary>How the command replays it.</summary>
    public JsonObject? Replay { get; init; }

    public Failure? Failure { get; init; }

    public double MedianSeconds { get; init; }

    /// <summary>Named in the baseline, which has not run out.</summary>
    public bool IsKnown { get; init; }

    /// <summary>Tests that failed with the same words at the same place, this one included.</summary>
    public int ClusterSize { get; init; }

    public bool IsUnstable => Verdict is not (TestVerdict.Stable or TestVerdict.Broken or TestVerdict.Infrastructure);

    public string Namespace => Class.LastIndexOf('.') is var dot and > 0 ? Class[..dot] : Class;
}

/// <summary>One level: so many runs by so many workers.</summary>
internal sealed record LevelReport(int Workers, int Iterations, int PassedRuns, double MedianSeconds, double? Speedup);

/// <summary>One run of the levels.</summary>
internal sealed record RunReport(string Assembly, RunRecord Record, IReadOnlyList<string> Missing, IReadOnlyList<string> Running);

/// <summary>One kind of remains.</summary>
internal sealed record LeakReport(string Kind, string What, string? Test, int Runs);
