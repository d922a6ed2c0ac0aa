namespace EvenKeel.Kafka.Publishing;

/// <summary>How an <see cref="EventPublisher"/> and its sweeper wait.</summary>
public sealed record EventPublisherOptions
{
    /// <summary>
    /// The longest wait for the producer's answer to one event, and for the earlier events of its key; after it the answer counts as
    /// unknown. Default 150 s: above the producer's delivery timeout (120 s), below the repository's claim (180 s), so that it is the
    /// producer that decides, and nobody else sends the event meanwhile.
    /// </summary>
    public TimeSpan SendLimit { get; init; } = TimeSpan.FromSeconds(150);

    /// <summary>The pause before an event is tried again after Kafka refused it for now, or its outcome is unknown. Default 5 s.</summary>
    public TimeSpan RetryPause { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The pause between two sweeps that find nothing. Default 1 s.</summary>
    public TimeSpan SweepPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The most events that one sweep claims, and so that it has in memory and on their way. Default 500.</summary>
    public int SweepEvents { get; init; } = 500;

    /// <summary>The pause between two times that the sweeper lets the repository free room. Default 30 s.</summary>
    public TimeSpan TidyPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a sweeper that is stopped waits for the answers of what it has sent. Default 5 s.</summary>
    public TimeSpan StopLimit { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>All violations, each with the setting, its value and the fix; empty when the options can be used.</summary>
    /// <returns>The violations.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>();
        Check(nameof(SendLimit), SendLimit, TimeSpan.FromMilliseconds(1));
        Check(nameof(RetryPause), RetryPause, TimeSpan.FromMilliseconds(1));
        Check(nameof(SweepPause), SweepPause, TimeSpan.FromMilliseconds(1));
        Check(nameof(TidyPause), TidyPause, TimeSpan.FromMilliseconds(1));
        Check(nameof(StopLimit), StopLimit, TimeSpan.Zero);
        if (SweepEvents is < 1 or > 100_000)
            violations.Add($"SweepEvents is {SweepEvents}: use 1 to 100000.");
        return violations;

        void Check(string name, TimeSpan value, TimeSpan least)
        {
            if (value < least || value > TimeSpan.FromDays(1))
                violations.Add($"{name} is {value}: use {least} to 1 day.");
        }
    }
}
