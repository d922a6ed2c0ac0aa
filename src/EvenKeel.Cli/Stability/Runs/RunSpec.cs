namespace EvenKeel.Cli.Stability.Runs;

/// <summary>The conditions are what a run differs in from a quiet one on this machine as it is.</summary>
internal sealed record RunConditions
{
    public static RunConditions Quiet { get; } = new();

    /// <summary>Threads that burn the processors beside the run.</summary>
    public bool Noise { get; init; }

    /// <summary>The whole test process on one processor, which still believes in all of them.</summary>
    public bool OneProcessor { get; init; }

    /// <summary>What the process is told about the number of processors.</summary>
    public int? ProcessorCount { get; init; }

    public string? Culture { get; init; }

    public string? TimeZone { get; init; }

    public bool IsLoaded => Noise || OneProcessor;

    public bool IsForeign => Culture is not null || TimeZone is not null || ProcessorCount is not null;

    public override string ToString()
    {
        var parts = new List<string>();
        if (Noise)
            parts.Add("CPU noise");
        if (OneProcessor)
            parts.Add("held on one processor");
        if (ProcessorCount is { } count)
            parts.Add($"processor count {count}");
        if (Culture is not null)
            parts.Add($"culture {Culture}");
        if (TimeZone is not null)
            parts.Add($"time zone {TimeZone}");
        return parts.Count == 0 ? "quiet" : string.Join(", ", parts);
    }
}

/// <summary>A run's specification: which tests, in which order, by how many workers, under which conditions.</summary>
internal sealed record RunSpec(int Workers, IReadOnlyList<int> Order, RunConditions Conditions)
{
    /// <summary>What this run is for, in a word: <c>plain</c>, <c>shuffled</c>, <c>reversed</c>, <c>alone</c>…</summary>
    public string Purpose { get; init; } = "plain";

    /// <summary>Which of the level's runs it is, from 0; -1 for an experiment.</summary>
    public int Iteration { get; init; } = -1;

    /// <summary>How long the run may take, where that is less than the time-out.</summary>
    public TimeSpan? Limit { get; init; }

    public bool IsExperiment => Iteration < 0;
}
