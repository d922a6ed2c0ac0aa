namespace EvenKeel.Queue;

/// <summary>The queue said no. Every refusal of the queue is one of this family; the message names the numbers and the next
/// action.</summary>
public abstract class DurableQueueException : Exception
{
    private protected DurableQueueException(string message, Exception? inner) : base(message, inner)
    {
    }
}

/// <summary>Why an append was refused.</summary>
public enum QueueRefusal
{
    /// <summary>The queue holds its maximum of bytes; there is room again when readers acknowledge. The record was not kept.</summary>
    Full,

    /// <summary>The disk or quota is full; there is room again when somebody makes it. The record was not promised.</summary>
    DiskFull,

    /// <summary>The record is longer than the queue takes; it never will be taken. The record was not kept.</summary>
    TooLarge,

    /// <summary>The queue is closing or closed. The record was not kept.</summary>
    Closed,

    /// <summary>A write or fsync failed and what the disk holds is uncertain; the queue must be opened anew.
    /// The record was not promised, but may turn up after that.</summary>
    Faulted,
}

/// <summary>An append was refused: the record is not promised.</summary>
public sealed class QueueRefusedException : DurableQueueException
{
    internal QueueRefusedException(QueueRefusal reason, string message, Exception? inner = null) : base(message, inner) => Reason = reason;

    /// <summary>Why.</summary>
    public QueueRefusal Reason { get; }

    internal static QueueRefusedException TooLarge(long bytes, long longest, DurableQueueOptions options) => new(QueueRefusal.TooLarge,
        $"The record has {bytes} bytes, the queue takes {longest}: MaxRecordBytes is {options.MaxRecordBytes}, and two of the longest must "
        + $"fit into MaxBytes ({options.MaxBytes}).");

    internal static QueueRefusedException Full(string location, long bytes, long maxBytes, long more) => new(QueueRefusal.Full,
        $"The queue in '{location}' holds {bytes} bytes of at most {maxBytes} (MaxBytes) and has no room for {more} more. "
        + "Let its readers catch up, or raise MaxBytes.");

    internal static QueueRefusedException DiskFull(string location, Exception error) => new(QueueRefusal.DiskFull,
        $"The disk under '{location}' has no room: {error.Message} Free space there; the queue goes on by itself.", error);

    internal static QueueRefusedException Closed(string location) => new(QueueRefusal.Closed, $"The queue in '{location}' is closed.");

    internal static QueueRefusedException Faulted(string location, string what, Exception cause) => new(QueueRefusal.Faulted,
        $"The queue in '{location}' is faulted and takes nothing more: {what} failed ({cause.Message}). "
        + "Check the disk, then open the queue again.",
        cause);
}

/// <summary>Why a queue could not be opened.</summary>
public enum QueueOpenFailure
{
    /// <summary>Another process, or another instance in this one, has it open.</summary>
    InUse,

    /// <summary>It was written by a later version of this library.</summary>
    NewerFormat,

    /// <summary>The folder cannot be made, read or written.</summary>
    Unusable,

    /// <summary>There is no queue in the folder (offline inspection only).</summary>
    NotFound,
}

/// <summary>The queue could not be opened; nothing on disk was changed.</summary>
public sealed class QueueOpenException : DurableQueueException
{
    internal QueueOpenException(QueueOpenFailure failure, string message, Exception? inner = null) : base(message, inner) =>
        Failure = failure;

    /// <summary>Why.</summary>
    public QueueOpenFailure Failure { get; }
}
