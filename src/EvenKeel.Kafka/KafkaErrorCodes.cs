using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka;

/// <summary>Names and texts of error codes, as librdkafka gives them.</summary>
public static class KafkaErrorCodes
{
    /// <summary>The name and the text: <c>_ALL_BROKERS_DOWN: Local: All broker connections are down</c>.</summary>
    public static unsafe string Describe(this KafkaErrorCode code) =>
        $"{NativeText.Read(Librdkafka.ErrorName(code))}: {NativeText.Read(Librdkafka.ErrorText(code))}";
}
