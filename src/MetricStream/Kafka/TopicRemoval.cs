using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace MetricStream.Kafka;

/// <summary>Removes topics that were made for a measurement, over a client of its own.</summary>
internal static class TopicRemoval
{
    private static readonly TimeSpan Question = TimeSpan.FromSeconds(10);

    /// <summary>Removes topics that are there. What a cluster without such requests holds stays: the embedded broker, which keeps nothing.
    /// </summary>
    /// <exception cref="KafkaException">The cluster refuses, or does not answer.</exception>
    public static async Task RemoveAsync(KafkaOptions options, IReadOnlyList<string> topics, CancellationToken stop)
    {
        await using var client = AdminClient.Create(options);
        foreach (var topic in topics)
        {
            try
            {
                await TopicAdmin.DeleteAsync(client, topic, Question, stop);
            }
            catch (KafkaException none) when (none.Code is KafkaErrorCode.UnknownTopicOrPartition or KafkaErrorCode.UnsupportedFeature)
            {
                continue; // Never made, or not to be removed.
            }
        }
    }
}
