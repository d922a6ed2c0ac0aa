namespace EvenKeel.Kafka.Consuming;

/// <summary>What becomes of a record whose handler throws: it is tried again, then goes to the dead letters if there are any.</summary>
public sealed record FailureOptions
{
    /// <summary>
    /// How often a record is tried before it goes to the dead letters. Default 5. Without a dead-letter topic it is tried for ever, since
    /// giving it up would lose it: its lane stands still, and the health says so.
    /// </summary>
    public int Attempts { get; init; } = 5;

    /// <summary>The pause before the second try, doubled with each one. Default 100 ms.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause. Default 10 s.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The share of a pause that is left to chance, so that members don't try in step. Default 0.2: 80 to 100 %.</summary>
    public double Jitter { get; init; } = 0.2;

    /// <summary>Where records go whose handler failed <see cref="Attempts"/> times; null: nowhere. Default null.</summary>
    public DeadLetterOptions? DeadLetters { get; init; }

    internal void AddViolations(Violations violations)
    {
        violations.Check(Attempts >= 1, "Failures.Attempts", Attempts, "1 or more");
        violations.Check(Backoff >= TimeSpan.Zero && Backoff <= MaxBackoff, "Failures.Backoff", Backoff,
            $"zero to MaxBackoff, {MaxBackoff}");
        violations.Check(MaxBackoff <= TimeSpan.FromHours(1), "Failures.MaxBackoff", MaxBackoff, "up to an hour");
        violations.Check(Jitter is >= 0 and <= 1, "Failures.Jitter", Jitter, "0 to 1");
        if (DeadLetters is null)
            return;
        if (string.IsNullOrWhiteSpace(DeadLetters.Topic))
            violations.Add($"Failures.DeadLetters.Topic is '{DeadLetters.Topic}': name a topic, or leave DeadLetters null.");
        violations.Check(DeadLetters.PauseAfter >= 1, "Failures.DeadLetters.PauseAfter", DeadLetters.PauseAfter, "1 or more");
    }
}

/// <summary>Where records go that cannot be handled.</summary>
/// <param name="Topic">The dead-letter topic.</param>
/// <param name="Producer">Writes them; it stays the caller's, and must outlive the consumer.</param>
public sealed record DeadLetterOptions(string Topic, Producing.IRecordProducer Producer)
{
    /// <summary>
    /// After so many records one after another whose handler failed, none succeeding in between, the consumer stops to fill the
    /// dead-letter topic: the fault is the handler's, not the records'. Default 10.
    /// </summary>
    public int PauseAfter { get; init; } = 10;
}
