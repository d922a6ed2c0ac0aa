namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// Thrown by a handler whose write was refused because the caller's store has a newer fence number for the partition: another member owns
/// it. The record is not done here; if this member still owns the partition, it claims it anew.
/// </summary>
public sealed class FencedException : Exception
{
    /// <summary>Without details.</summary>
    public FencedException()
    {
    }

    /// <summary>With the numbers.</summary>
    /// <param name="message">What was refused.</param>
    public FencedException(string message)
        : base(message)
    {
    }

    /// <summary>With the store's own error.</summary>
    /// <param name="message">What was refused.</param>
    /// <param name="innerException">How the store refused it.</param>
    public FencedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
