using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Producing;

/// <summary>The one place that says what a delivery error means: refused or unknown, and whether sending again can help.</summary>
internal static unsafe class DeliveryErrors
{
    /// <summary>The outcome that a delivery report tells. Whether the record may be in the log is librdkafka's own judgement.</summary>
    public static DeliveryOutcome Read(NativeMessage* report)
    {
        if (report->Error == KafkaErrorCode.None)
        {
            int kind;
            return DeliveryOutcome.Delivered(report->Partition, report->Offset, Librdkafka.MessageTimestamp(report, &kind));
        }
        var text = NativeText.Read(Librdkafka.MessageProduceErrorText(report));
        var reason = text.Length > 0 ? $"{report->Error.Describe()} ({text})" : report->Error.Describe();
        return Librdkafka.MessageStatus(report) == PersistenceStatus.NotPersisted
            ? DeliveryOutcome.Refused(report->Error, reason)
            : DeliveryOutcome.Unknown(report->Error, reason);
    }

    /// <summary>Whether sending the same record again can help.</summary>
    public static RetryAdvice Advice(KafkaErrorCode error) => error switch
    {
        KafkaErrorCode.MessageTooLarge or KafkaErrorCode.RecordListTooLarge or KafkaErrorCode.InvalidMessageSize
            or KafkaErrorCode.InvalidRecord or KafkaErrorCode.InvalidTimestamp or KafkaErrorCode.InvalidTopic
            or KafkaErrorCode.InvalidArgument or KafkaErrorCode.Conflict or KafkaErrorCode.PolicyViolation => RetryAdvice.Never,
        KafkaErrorCode.UnknownTopic or KafkaErrorCode.UnknownPartition or KafkaErrorCode.UnknownTopicOrPartition
            or KafkaErrorCode.TopicAuthorizationFailed or KafkaErrorCode.ClusterAuthorizationFailed
            or KafkaErrorCode.TransactionalIdAuthorizationFailed or KafkaErrorCode.AuthenticationFailed
            or KafkaErrorCode.SaslAuthenticationFailed or KafkaErrorCode.UnsupportedSaslMechanism or KafkaErrorCode.IllegalSaslState
            or KafkaErrorCode.TlsFailed or KafkaErrorCode.UnsupportedVersion or KafkaErrorCode.UnsupportedCompression
            or KafkaErrorCode.UnsupportedFeature or KafkaErrorCode.InvalidRequiredAcks
            or KafkaErrorCode.InvalidConfiguration => RetryAdvice.AfterRepair,
        _ => RetryAdvice.Later,
    };

    /// <summary>
    /// Whether a record that the fatal error of a client ended goes to the client's successor: it is not in the log, nothing is wrong with
    /// it, and its own time is not over.
    /// </summary>
    public static bool IsSafeToResend(in DeliveryOutcome outcome) =>
        outcome is { Status: DeliveryStatus.Refused, Retry: RetryAdvice.Later }
        && outcome.Error is not (KafkaErrorCode.MessageTimedOut or KafkaErrorCode.TimedOutInQueue);
}
