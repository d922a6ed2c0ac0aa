using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Consuming;

/// <summary>What a replay came to.</summary>
/// <param name="Replayed">Dead letters that were sent back to the topics they came from.</param>
/// <param name="PassedOver">Dead letters of other groups, or without an origin; they stay where they are.</param>
public sealed record ReplayReport(long Replayed, long PassedOver);

/// <summary>Sends dead letters back to the topics they came from, once what failed on them is repaired.</summary>
public static class DeadLetterReplay
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan AskLimit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Replays what is in the dead-letter topic when it begins, each letter at least once, with its key, value and own headers; how far it
    /// got is committed under the group's name with <c>-replay</c> behind it, so that a later one goes on there.
    /// </summary>
    /// <param name="options">Of the consumer whose dead letters these are; <see cref="FailureOptions.DeadLetters"/> names the topic and
    /// the producer.</param>
    /// <param name="cancellationToken">Ends it; what was sent stays sent.</param>
    /// <returns>When all of them are in their topics.</returns>
    /// <exception cref="ArgumentException">The options name no dead letters, or are violated.</exception>
    /// <exception cref="OperationCanceledException">It was ended early.</exception>
    public static async Task<ReplayReport> ReplayDeadLettersAsync(
        this ConsumerOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var letters = options.Failures.DeadLetters
            ?? throw new ArgumentException("Failures.DeadLetters is null: name the dead-letter topic.", nameof(options));
        var (replayed, passedOver) = (0L, 0L);

        // 1. A member of a group of its own reads the letters, one after another, and sends each on before its offset is done.
        await using var consumer = new ReliableConsumer(
            options with
            {
                GroupId = $"{options.GroupId}-replay",
                Topics = [letters.Topic],
                StartAt = StartAt.Earliest,
                Lanes = 1,
                Failures = options.Failures with { DeadLetters = null },
            },
            async (letter, stop) =>
            {
                if (await SendBackAsync(letter, options.GroupId, letters.Producer, stop).ConfigureAwait(false))
                    Interlocked.Increment(ref replayed);
                else
                    Interlocked.Increment(ref passedOver);
            });

        // 2. It goes on to the ends as they are now: what the repair did not help comes behind them, and is not replayed in a circle.
        var ends = await Task.Run(() => Ends(consumer.Context.Client.Handle, letters.Topic), cancellationToken).ConfigureAwait(false);
        using var tick = new PeriodicTimer(Look, consumer.Context.Time);
        while (!IsBehind(consumer, ends))
        {
            if (consumer.Ended.IsCompleted)
                await consumer.Ended.ConfigureAwait(false);
            await tick.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }
        await consumer.StopAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        return new ReplayReport(replayed, passedOver);
    }

    private static async Task<bool> SendBackAsync(
        ReceivedRecord letter, string group, IRecordProducer producer, CancellationToken cancellationToken)
    {
        if (!letter.TryGetHeader(DeadLetterHeaders.Topic, out var topic) || topic.IsEmpty
            || !letter.TryGetHeader(DeadLetterHeaders.Group, out var owner) || Encoding.UTF8.GetString(owner) != group)
            return false;
        var record = new OutgoingRecord(Encoding.UTF8.GetString(topic), letter.Key.Span, letter.Value.Span)
        {
            IsTombstone = letter.IsTombstone,
            Headers = [.. letter.Headers.Where(header => !DeadLetterHeaders.IsOwn(header.Name))],
        };
        var outcome = await producer.SendAsync(record, cancellationToken).ConfigureAwait(false);
        return outcome.Status is DeliveryStatus.Delivered or DeliveryStatus.Spilled
            ? true
            : throw new KafkaException(outcome.Error, $"{letter} could not be sent back: {outcome.Status}, {outcome.Reason}");
    }

    /// <summary>For each partition that the replay has not been through yet, its end.</summary>
    private static Dictionary<int, long> Ends(ClientHandle client, string topic)
    {
        var metadata = client.Metadata(client.Topic(topic), AskLimit).Topics.Single();
        metadata.Error.ThrowIfFailed($"Asking for the partitions of '{topic}'");
        using var committed = new PartitionList();
        foreach (var partition in metadata.Partitions)
            committed.Add(topic, partition.Id);
        client.ReadCommitted(committed, AskLimit);
        var ends = new Dictionary<int, long>();
        for (var i = 0; i < committed.Count; i++)
        {
            var (low, high) = client.QueryWatermarks(topic, committed[i].Partition, AskLimit);
            if (high > Math.Max(low, committed[i].Offset))
                ends[committed[i].Partition] = high;
        }
        return ends;
    }

    private static bool IsBehind(ReliableConsumer consumer, Dictionary<int, long> ends)
    {
        foreach (var position in consumer.Positions())
        {
            if (ends.TryGetValue(position.Partition.Partition, out var end) && position.DoneOffset >= end)
                ends.Remove(position.Partition.Partition);
        }
        return ends.Count == 0;
    }
}
