using System.Globalization;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The dead letters of one lane: a record that cannot be handled is written to the dead-letter topic, with why and whence in its headers,
/// and counts as done only when it is there.
/// </summary>
internal sealed class DeadLetters(DeadLetterOptions options, ConsumerContext context, TaskWait wait)
{
    private const int MaxReasonLength = 1_000;
    private const int MaxStackLength = 8_000;

    /// <summary>Writes the record and waits for the outcome.</summary>
    /// <returns>Whether it is kept; false: try on.</returns>
    public bool TryWrite(RecordView view, Exception failure, CancellationToken cancellation)
    {
        var record = new ReceivedRecord(view);
        var outcome = Send(record, failure, MaxStackLength, cancellation);

        // What was just too large may fit without the stack.
        if (outcome is { Status: DeliveryStatus.Refused, Error: KafkaErrorCode.MessageTooLarge })
            outcome = Send(record, failure, 0, cancellation);
        if (outcome.Status is DeliveryStatus.Delivered or DeliveryStatus.Spilled)
        {
            context.CountDeadLetter();
            context.Notices.Tell(new ConsumerNotice(
                ConsumerNoticeKind.DeadLettered, $"{record} went to '{options.Topic}' after {record.Attempt} attempts: {failure.Message}",
                exception: failure));
            return true;
        }
        context.Notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.HandlerFailed,
            $"{record} could not be written to the dead letters in '{options.Topic}' ({outcome.Status}: {outcome.Reason}); it stays in "
            + "hand and is tried again.",
            outcome.Error));
        return false;
    }

    private DeliveryOutcome Send(ReceivedRecord record, Exception failure, int stackLength, CancellationToken cancellation)
    {
        var headers = new List<RecordHeader>(record.Headers.Where(header => !DeadLetterHeaders.IsOwn(header.Name)))
        {
            RecordHeader.Of(DeadLetterHeaders.Topic, record.Topic),
            RecordHeader.Of(DeadLetterHeaders.Partition, Number(record.Partition)),
            RecordHeader.Of(DeadLetterHeaders.Offset, Number(record.Offset)),
            RecordHeader.Of(DeadLetterHeaders.TimestampMs, Number(record.TimestampMs)),
            RecordHeader.Of(DeadLetterHeaders.Group, context.Options.GroupId),
            RecordHeader.Of(DeadLetterHeaders.Attempts, Number(record.Attempt)),
            RecordHeader.Of(DeadLetterHeaders.Reason, Cut($"{failure.GetType().FullName}: {failure.Message}", MaxReasonLength)),
        };
        if (stackLength > 0)
            headers.Add(RecordHeader.Of(DeadLetterHeaders.Stack, Cut(failure.ToString(), stackLength)));
        try
        {
            var letter = new OutgoingRecord(options.Topic, record.Key.Span, record.Value.Span)
            {
                IsTombstone = record.IsTombstone,
                Headers = headers,
            };
            return wait.End(options.Producer.SendAsync(letter, cancellation));
        }
        catch (OperationCanceledException)
        {
            return DeliveryOutcome.Refused(KafkaErrorCode.PurgedInQueue, "The partition was given up before there was room to send.");
        }
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..length];
}

/// <summary>The headers that a dead letter has beside the record's own.</summary>
public static class DeadLetterHeaders
{
    private const string Prefix = "dead-letter-";

    /// <summary>The topic that the record was read from.</summary>
    public const string Topic = Prefix + "topic";

    /// <summary>Its partition there, in digits.</summary>
    public const string Partition = Prefix + "partition";

    /// <summary>Its offset there, in digits.</summary>
    public const string Offset = Prefix + "offset";

    /// <summary>Its time there, milliseconds since 1970, in digits.</summary>
    public const string TimestampMs = Prefix + "timestamp-ms";

    /// <summary>The group whose handler failed.</summary>
    public const string Group = Prefix + "group";

    /// <summary>How often it was tried, in digits.</summary>
    public const string Attempts = Prefix + "attempts";

    /// <summary>The last exception's type and message, up to 1,000 characters.</summary>
    public const string Reason = Prefix + "reason";

    /// <summary>The last exception with its stack, up to 8,000 characters; left out where it would make the record too large.</summary>
    public const string Stack = Prefix + "stack";

    internal static bool IsOwn(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);
}
