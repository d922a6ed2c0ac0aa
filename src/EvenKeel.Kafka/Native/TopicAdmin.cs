using System.Text;

namespace EvenKeel.Kafka.Native;

/// <summary>What a topic is: replicas a partition, and how many of them must have a record before it is acknowledged.</summary>
internal sealed record TopicDurability(int Partitions, int Replicas, int MinInSyncReplicas);

/// <summary>Requests about topics to a real broker, over any client; each waits on a thread of the pool, to its deadline.</summary>
internal static unsafe class TopicAdmin
{
    private const int TopicResource = 2;

    /// <param name="client">Any client.</param>
    /// <param name="topic">Its name.</param>
    /// <param name="partitions">-1: the broker's default.</param>
    /// <param name="replication">-1: the broker's default.</param>
    /// <param name="wait">The limit; the broker waits too until the topic is known to its controller.</param>
    /// <param name="cancellation">Ends the wait, not the request.</param>
    /// <exception cref="KafkaException">Refused (it exists already, not authorised), or no answer.</exception>
    public static Task CreateAsync(
        ClientHandle client, string topic, int partitions, int replication, TimeSpan wait, CancellationToken cancellation) =>
        Task.Run(() => Create(client, topic, partitions, replication, wait, cancellation), cancellation);

    public static Task DeleteAsync(ClientHandle client, string topic, TimeSpan wait, CancellationToken cancellation) =>
        Task.Run(() => Delete(client, topic, wait, cancellation), cancellation);

    public static Task<TopicDurability> DescribeAsync(ClientHandle client, string topic, TimeSpan wait, CancellationToken cancellation) =>
        Task.Run(() => Describe(client, topic, wait, cancellation), cancellation);

    /// <summary>The id that the cluster gave the topic when it was made: another one after it was deleted and made again. Brokers before
    /// 2.8 have none: the id of zeros.</summary>
    /// <exception cref="KafkaException">There is no such topic, or no answer; <see cref="KafkaErrorCode.UnsupportedFeature"/> from the
    /// embedded broker.</exception>
    public static Task<string> IdAsync(ClientHandle client, string topic, TimeSpan wait, CancellationToken cancellation) =>
        Task.Run(() => Id(client, topic, wait, cancellation), cancellation);

    private static void Create(
        ClientHandle client, string topic, int partitions, int replication, TimeSpan wait, CancellationToken cancellation)
    {
        var doing = $"Creating topic '{topic}' with {partitions} partition(s)";
        var text = stackalloc byte[NativeText.ErrorTextBytes];
        text[0] = 0;
        var newTopic = Librdkafka.NewTopicNew(topic, partitions, replication, text, NativeText.ErrorTextBytes);
        if (newTopic == 0)
            throw new KafkaException(KafkaErrorCode.InvalidArgument, $"{doing}: {NativeText.Read(text)}");
        try
        {
            AdminRequest.Ask(client, AdminOperation.CreateTopics, doing, wait,
                (native, options, queue) => { var one = newTopic; Librdkafka.CreateTopics(native, &one, 1, options, queue); },
                answer =>
                {
                    nuint count;
                    var results = Librdkafka.CreateTopicsResultTopics(Librdkafka.EventCreateTopicsResult(answer), &count);
                    return ThrowIfRefused(results, count, doing);
                },
                cancellation);
        }
        finally
        {
            Librdkafka.NewTopicDestroy(newTopic);
        }
    }

    private static void Delete(ClientHandle client, string topic, TimeSpan wait, CancellationToken cancellation)
    {
        var doing = $"Deleting topic '{topic}'";
        var deleteTopic = Librdkafka.DeleteTopicNew(topic);
        try
        {
            AdminRequest.Ask(client, AdminOperation.DeleteTopics, doing, wait,
                (native, options, queue) => { var one = deleteTopic; Librdkafka.DeleteTopics(native, &one, 1, options, queue); },
                answer =>
                {
                    nuint count;
                    var results = Librdkafka.DeleteTopicsResultTopics(Librdkafka.EventDeleteTopicsResult(answer), &count);
                    return ThrowIfRefused(results, count, doing);
                },
                cancellation);
        }
        finally
        {
            Librdkafka.DeleteTopicDestroy(deleteTopic);
        }
    }

    private static string Id(ClientHandle client, string topic, TimeSpan wait, CancellationToken cancellation)
    {
        var doing = $"Asking for the id of topic '{topic}'";
        var names = Names(topic);
        try
        {
            return AdminRequest.Ask(client, AdminOperation.DescribeTopics, doing, wait,
                (native, options, queue) => Librdkafka.DescribeTopics(native, names, options, queue),
                answer => NativeText.Read(Librdkafka.UuidText(Librdkafka.TopicDescriptionId(Description(answer, doing)))),
                cancellation);
        }
        finally
        {
            Librdkafka.TopicCollectionDestroy(names);
        }
    }

    private static nint Names(string topic)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(topic + '\0'))
        {
            var one = name;
            return Librdkafka.TopicCollectionOfNames(&one, 1);
        }
    }

    private static TopicDurability Describe(ClientHandle client, string topic, TimeSpan wait, CancellationToken cancellation)
    {
        var doing = $"Describing topic '{topic}'";
        var names = Names(topic);
        var resource = Librdkafka.ConfigResourceNew(TopicResource, topic);
        try
        {
            var (partitions, replicas) = AdminRequest.Ask(client, AdminOperation.DescribeTopics, doing, wait,
                (native, options, queue) => Librdkafka.DescribeTopics(native, names, options, queue),
                answer => ReadDescription(answer, doing),
                cancellation);
            var minInSync = AdminRequest.Ask(client, AdminOperation.DescribeConfigs, doing, wait,
                (native, options, queue) => { var one = resource; Librdkafka.DescribeConfigs(native, &one, 1, options, queue); },
                answer => ReadMinInSync(answer, doing),
                cancellation);
            return new TopicDurability(partitions, replicas, minInSync);
        }
        finally
        {
            Librdkafka.TopicCollectionDestroy(names);
            Librdkafka.ConfigResourceDestroy(resource);
        }
    }

    private static nint Description(nint answer, string doing)
    {
        nuint count;
        var topics = Librdkafka.DescribeTopicsResultTopics(Librdkafka.EventDescribeTopicsResult(answer), &count);
        var error = Librdkafka.TopicDescriptionError(topics[0]);
        if (error != 0 && Librdkafka.ErrorObjectCode(error) != KafkaErrorCode.None)
            throw NativeErrors.Read(error, doing);
        return topics[0];
    }

    private static (int Partitions, int Replicas) ReadDescription(nint answer, string doing)
    {
        nuint count;
        var topic = Description(answer, doing);
        var partitions = Librdkafka.TopicDescriptionPartitions(topic, &count);
        var replicas = int.MaxValue;
        for (nuint i = 0; i < count; i++)
        {
            nuint copies;
            _ = Librdkafka.PartitionReplicas(partitions[i], &copies);
            replicas = Math.Min(replicas, (int)copies);
        }
        return ((int)count, replicas);
    }

    private static int ReadMinInSync(nint answer, string doing)
    {
        nuint count;
        var resources = Librdkafka.DescribeConfigsResultResources(Librdkafka.EventDescribeConfigsResult(answer), &count);
        var code = Librdkafka.ConfigResourceError(resources[0]);
        if (code != KafkaErrorCode.None)
            throw new KafkaException(code, $"{doing}: {NativeText.Read(Librdkafka.ConfigResourceErrorText(resources[0]))}");
        var entries = Librdkafka.ConfigResourceConfigs(resources[0], &count);
        for (nuint i = 0; i < count; i++)
        {
            if (NativeText.Read(Librdkafka.ConfigEntryName(entries[i])) == "min.insync.replicas"
                && int.TryParse(NativeText.Read(Librdkafka.ConfigEntryValue(entries[i])), out var value))
                return value;
        }
        throw new KafkaException(KafkaErrorCode.NotFound, $"{doing}: the broker did not tell min.insync.replicas");
    }

    private static bool ThrowIfRefused(nint* results, nuint count, string doing)
    {
        for (nuint i = 0; i < count; i++)
        {
            var code = Librdkafka.TopicResultError(results[i]);
            if (code == KafkaErrorCode.None)
                continue;
            var reason = NativeText.Read(Librdkafka.TopicResultErrorText(results[i]));
            throw new KafkaException(code, $"{doing}: {(reason.Length > 0 ? reason : code.Describe())}");
        }
        return true;
    }
}
