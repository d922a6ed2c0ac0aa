using EvenKeel.Testing.Cluster;

namespace EvenKeel.Testing.Workers;

/// <summary>How a test run is set up.</summary>
public sealed record TestRunOptions
{
    /// <summary>The broker. Default: the environment's, else the embedded one.</summary>
    public TestClusterOptions Cluster { get; init; } = new();

    /// <summary>What every name of a topic or group begins with. Default <c>test</c>.</summary>
    public string NamePrefix { get; init; } = "test";

    /// <summary>How long a receive waits that names no limit. Default 10 s: ten times what a loaded machine was seen to need.</summary>
    public TimeSpan ReceiveDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How old topics of a run that nobody knows must be to be swept from a real broker; runs of this machine whose process is gone are
    /// swept at once. Default 6 hours, longer than any suite.
    /// </summary>
    public TimeSpan SweepAge { get; init; } = TimeSpan.FromHours(6);

    /// <summary>The longest that the end of the run waits for clients and topics to go. Default 10 s; what is left is told.</summary>
    public TimeSpan StopLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Consumers that a worker keeps; the one unused for longest is closed. Default 16.</summary>
    public int MaxConsumersPerWorker { get; init; } = 16;

    /// <summary>Where processes on this machine agree who has what. Default: a folder of the user in the temporary folder.</summary>
    public string? LeaseDirectory { get; init; }

    /// <summary>
    /// Gives this process, and what it starts, a temporary folder of its own for the time of the run: what tests leave in the system's is
    /// seen by the leak check, and goes with the run. It changes the process's TMPDIR (TMP and TEMP on Windows). Default false.
    /// </summary>
    public bool OwnsTempFolder { get; init; }

    /// <summary>
    /// Takes what went wrong without failing a test, such as a topic that could not be deleted. Default: nobody; called from any
    /// thread.
    /// </summary>
    public Action<string>? Diagnostics { get; init; }

    /// <summary>The cancellation of the test that calls, asked at the begin of each wait. Default: none.</summary>
    public Func<CancellationToken> Cancellation { get; init; } = () => CancellationToken.None;

    /// <summary>The name of the test that calls, for messages about what is held or left over. Default: unknown.</summary>
    public Func<string?> CurrentTest { get; init; } = () => null;

    /// <summary>
    /// Takes what shows that a test passes only now and then, such as a repetition that it needed. Default: as
    /// <see cref="Diagnostics"/>.
    /// </summary>
    public Action<string>? Unstable { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <returns>Every violation, each with the setting, the value and the fix.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>();
        if (NamePrefix.Length is 0 or > 64 || !NamePrefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
            violations.Add($"NamePrefix is '{NamePrefix}': use 1 to 64 letters, digits, dots, underscores and hyphens.");
        if (ReceiveDeadline <= TimeSpan.Zero)
            violations.Add($"ReceiveDeadline is {ReceiveDeadline}: use more than zero.");
        if (SweepAge < TimeSpan.FromMinutes(5))
            violations.Add($"SweepAge is {SweepAge}: use 5 minutes or more, or a run of another machine loses its topics.");
        if (StopLimit <= TimeSpan.Zero)
            violations.Add($"StopLimit is {StopLimit}: use more than zero.");
        if (MaxConsumersPerWorker < 1)
            violations.Add($"MaxConsumersPerWorker is {MaxConsumersPerWorker}: use 1 or more.");
        return violations;
    }
}
