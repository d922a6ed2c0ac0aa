namespace EvenKeel.Kafka.Consuming;

/// <summary>What the end of a consumer came to.</summary>
/// <param name="LeftGroup">The group knows: its partitions go to others at once, not after the session's time-out.</param>
/// <param name="IsCommitted">Every commit that was sent is answered; a refusal was told as a notice.</param>
/// <param name="AbandonedRecords">Records whose handler did not end in time; they are handled again, by whoever reads them next.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record CloseReport(bool LeftGroup, bool IsCommitted, long AbandonedRecords, TimeSpan Elapsed);
