using System.Diagnostics;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Producing;

/// <summary>Connects a client and fetches metadata before the first record, which would otherwise wait for both. Blocks.</summary>
internal static class WarmUp
{
    // A native call holds the disposal of its client up for as long as it runs.
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <exception cref="KafkaException">Not done within the limit, with the last cause and the last word on connections.</exception>
    public static void Run(
        ProducerClient producer, IReadOnlyCollection<string> topics, TimeSpan limit, CancellationToken cancellationToken)
    {
        var client = producer.Handle;
        var start = Stopwatch.GetTimestamp();
        if (topics.Count == 0)
            Repeat(() => client.Metadata(null, Slice).Brokers.Count > 0, "the cluster");
        foreach (var topic in topics)
            Repeat(() => Connect(client, topic), $"topic '{topic}'");

        void Repeat(Func<bool> attempt, string what)
        {
            var last = "it has no leaders yet";
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    if (attempt())
                        return;
                }
                catch (KafkaException failed)
                {
                    last = failed.Message;
                }
                if (Stopwatch.GetElapsedTime(start) > limit)
                {
                    // A wrong password, for one, makes every question time out: only the connection knows why.
                    var connections = producer.LastBrokerError is { } error ? $" ({error})" : "";
                    throw new KafkaException(
                        KafkaErrorCode.TimedOut, $"{client.Name} did not connect to {what} within {limit}: {last}{connections}",
                        isRetriable: true);
                }
                cancellationToken.WaitHandle.WaitOne(Pause);
            }
        }
    }

    /// <summary>One question to each leader of the topic opens the connection over which its records will go.</summary>
    private static bool Connect(ClientHandle client, string topic)
    {
        var metadata = client.Metadata(client.Topic(topic), Slice).Topics.Single();
        metadata.Error.ThrowIfFailed($"Metadata of topic '{topic}'");
        if (metadata.Partitions.Count == 0 || metadata.Partitions.Any(partition => partition.Leader < 0))
            return false;
        foreach (var partition in metadata.Partitions.DistinctBy(partition => partition.Leader))
            client.QueryWatermarks(topic, partition.Id, Slice);
        return true;
    }
}
