namespace EvenKeel.Kafka.Producing;

/// <summary>What a drain came to, counted from its start; every record that was in the producer is in one of the three counts.</summary>
/// <param name="Delivered">Delivered meanwhile.</param>
/// <param name="Refused">Not persisted, so safe to send again.</param>
/// <param name="Unknown">May have been written.</param>
/// <param name="Elapsed">From the call to the last outcome.</param>
/// <param name="Leftovers">The refused and the unknown ones with their bytes, if the drain was asked to keep them; otherwise empty.</param>
public sealed record DrainReport(
    long Delivered, long Refused, long Unknown, TimeSpan Elapsed, IReadOnlyList<LeftoverRecord> Leftovers)
{
    /// <summary>Nothing was left.</summary>
    public bool IsClean => Refused == 0 && Unknown == 0;
}
