using EvenKeel.Kafka;

namespace EvenKeel.Testing.Cluster;

/// <summary>The rule of topic names, which the embedded broker does not check and a real one does.</summary>
internal static class TopicName
{
    private const int MaxLength = 249;

    public static string Valid(string topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        var isValid = topic.Length is > 0 and <= MaxLength && topic is not ("." or "..")
            && topic.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
        return isValid
            ? topic
            : throw new KafkaException(
                KafkaErrorCode.InvalidTopic,
                $"'{topic}' is no topic name: 1 to {MaxLength} letters, digits, dots, underscores and hyphens, and not '.' or '..'.");
    }
}
