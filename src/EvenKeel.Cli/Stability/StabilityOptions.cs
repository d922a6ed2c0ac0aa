using EvenKeel.Cli.Stability.Planning;

namespace EvenKeel.Cli.Stability;

/// <summary>What the command was asked to do.</summary>
internal sealed record StabilityOptions(string Path, PlanOptions Plan, string OutputFolder)
{
    public TimeSpan? Budget { get; init; }

    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    public string? Filter { get; init; }

    public string? BaselineFile { get; init; }

    public string? Since { get; init; }

    /// <summary>Runs of the levels only: an order and its reverse, and no comparison of rates.</summary>
    public bool IsQuick { get; init; }
}
