using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Testing.Topics;

/// <summary>
/// The ends of partitions are the offsets of the next records, asked from their leaders: again while those are not there yet, as after a
/// topic's creation or a change of leader.
/// </summary>
internal static class PartitionEnds
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeProvider RealTime = TimeProvider.System;

    /// <exception cref="KafkaException">No leader answered within the limit, or the answer was a refusal that stays.</exception>
    public static async Task<long> AskAsync(
        ClientHandle client, string topic, int partition, TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await Task.Run(() => client.QueryWatermarks(topic, partition, limit).High, cancellationToken).ConfigureAwait(false);
            }
            catch (KafkaException early) when (IsPassing(early.Code) && Stopwatch.GetElapsedTime(start) < limit)
            {
                // librdkafka answers from what it learned of the topic last, for as long as it keeps that: it must learn anew.
                await Task.Delay(Pause, RealTime, cancellationToken).ConfigureAwait(false);
                await Task.Run(() => client.Metadata(null, limit), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static bool IsPassing(KafkaErrorCode code) => code
        is KafkaErrorCode.NotLeader or KafkaErrorCode.LeaderNotAvailable or KafkaErrorCode.UnknownTopicOrPartition
        or KafkaErrorCode.UnknownPartition or KafkaErrorCode.UnknownTopic or KafkaErrorCode.ReplicaNotAvailable
        or KafkaErrorCode.UnknownLeaderEpoch or KafkaErrorCode.FencedLeaderEpoch or KafkaErrorCode.OffsetNotAvailable;
}
