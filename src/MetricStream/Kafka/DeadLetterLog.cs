using System.Globalization;
using System.Text;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>The dead-letter topic as a person looks at it, and sends back what lies there.</summary>
internal static class DeadLetterLog
{
    private static readonly TimeSpan Question = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    /// <summary>The letters that no replay has been through, oldest first by partition.</summary>
    /// <exception cref="KafkaException">The cluster does not answer, or refuses.</exception>
    public static IEnumerable<ListedLetter> List(KafkaOptions options, CancellationToken stop)
    {
        var member = Member(options) with { GroupId = StoreMember.Group + "-replay" };
        var (from, ends) = Bounds(member, options.DeadLetters);
        if (from.Length == 0)
            yield break;
        using var tail = new TopicTail(member, options.DeadLetters, from);
        while (tail.Next.Zip(ends).Any(place => place.First < place.Second))
        {
            stop.ThrowIfCancellationRequested();
            foreach (var letter in tail.Read(Look, withHeaders: true).Where(letter => letter.Offset < ends[letter.Partition]))
                yield return Listed(letter);
        }
    }

    /// <summary>Sends them back to the topic they came from, where the store's members take them again.</summary>
    /// <exception cref="KafkaException">The cluster does not answer, or refuses.</exception>
    public static async Task<ReplayReport> ReplayAsync(KafkaOptions options, CancellationToken stop)
    {
        var member = Member(options);
        if (Bounds(member with { GroupId = StoreMember.Group + "-replay" }, options.DeadLetters).From.Length == 0)
            return new ReplayReport(0, 0);
        await using var producer = new ReliableProducer(options.LetterProducer());
        return await (member with
        {
            Failures = new FailureOptions { DeadLetters = new DeadLetterOptions(options.DeadLetters, producer) },
        }).ReplayDeadLettersAsync(stop);
    }

    // A command is no server: it comes and goes, and is no static member.
    private static ConsumerOptions Member(KafkaOptions options)
    {
        var member = options.Member("");
        var properties = new Dictionary<string, string>(member.Properties);
        properties.Remove("group.instance.id");
        return member with { Properties = properties, StartAt = StartAt.Earliest };
    }

    /// <summary>Where a replay would begin and end in each partition; none where the topic is absent.</summary>
    private static (long[] From, long[] Ends) Bounds(ConsumerOptions member, string topic)
    {
        var client = ConsumerClient.Create(member).Handle;
        try
        {
            // All topics are asked for: a question for one by name makes a broker create it.
            var found = client.Metadata(null, Question).Topics.FirstOrDefault(found => found.Name == topic);
            if (found is null || found.Partitions.Count == 0)
                return ([], []);
            using var committed = new PartitionList();
            for (var partition = 0; partition < found.Partitions.Count; partition++)
                committed.Add(topic, partition);
            client.ReadCommitted(committed, Question);
            var (from, ends) = (new long[committed.Count], new long[committed.Count]);
            for (var partition = 0; partition < from.Length; partition++)
            {
                var (low, high) = client.QueryWatermarks(topic, partition, Question);
                (from[partition], ends[partition]) = (Math.Max(low, committed[partition].Offset), high);
            }
            return (from, ends);
        }
        finally
        {
            _ = client.CloseAsync(DestroyOptions.NoConsumerClose);
        }
    }

    private static ListedLetter Listed(TopicMessage letter)
    {
        var isTimed = long.TryParse(Header(letter, DeadLetterHeaders.TimestampMs), CultureInfo.InvariantCulture, out var arrived);
        var (topic, partition) = (Header(letter, DeadLetterHeaders.Topic), Header(letter, DeadLetterHeaders.Partition));
        return new ListedLetter(
            string.Create(CultureInfo.InvariantCulture, $"{letter.Partition}:{letter.Offset}"),
            $"{topic}[{partition}]@{Header(letter, DeadLetterHeaders.Offset)}", Encoding.UTF8.GetString(letter.Key),
            Header(letter, KafkaBatchQueue.BatchIdHeader), isTimed ? arrived : letter.TimestampMs, Header(letter, DeadLetterHeaders.Reason),
            letter.Value);
    }

    private static string Header(TopicMessage letter, string name) =>
        letter.Headers.TryGetValue(name, out var value) ? Encoding.UTF8.GetString(value) : "";
}
