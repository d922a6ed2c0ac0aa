namespace EvenKeel.Kafka.Producing;

/// <summary>
/// A record that a producer did not deliver and hands back, with its bytes and its waiting caller; whoever takes it owns both.
/// </summary>
/// <param name="Sequence">Its place among those that the producer accepted.</param>
/// <param name="Topic">Where it was to go.</param>
/// <param name="Entry">Where key, value and headers lie in <paramref name="Bytes"/>.</param>
/// <param name="Bytes">Its own copy.</param>
/// <param name="Send">Its caller.</param>
/// <param name="Outcome">What Kafka said: refused, or unknown.</param>
internal readonly record struct UndeliveredRecord(
    long Sequence, string Topic, SendEntry Entry, byte[] Bytes, PendingSend Send, DeliveryOutcome Outcome);

/// <summary>
/// Takes back what a producer does not deliver. Records come in any order, from any thread, the last ones during the drain;
/// <see cref="UndeliveredRecord.Sequence"/> is their order.
/// </summary>
internal abstract class UndeliveredSink
{
    /// <summary>Takes a record over. Short: it runs on the report loop.</summary>
    public abstract void Take(in UndeliveredRecord record);

    /// <summary>The producer sends nothing more, and waits to be drained.</summary>
    public abstract void Fail();
}
