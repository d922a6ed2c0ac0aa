namespace EvenKeel.Testing.Topics;

/// <summary>What a test waited for did not come in time; the message tells what did.</summary>
public sealed class ReceiveTimeoutException : TimeoutException
{
    /// <summary>Without a message.</summary>
    public ReceiveTimeoutException()
    {
    }

    /// <summary>With what was seen.</summary>
    /// <param name="message">For the person who reads the failure.</param>
    public ReceiveTimeoutException(string message)
        : base(message)
    {
    }

    /// <summary>With what was seen, and its cause.</summary>
    /// <param name="message">For the person who reads the failure.</param>
    /// <param name="innerException">The cause.</param>
    public ReceiveTimeoutException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
