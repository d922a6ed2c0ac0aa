using System.Globalization;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The native client of one consumer and its two queues: events (rebalances, answers to commits, errors, log lines) and records. They are
/// apart so that events are served while no records are taken: librdkafka then stops fetching by itself when its limit is reached, keeps
/// what it fetched, and the membership lives on. Consume loop only, but <see cref="Wake"/>.
/// </summary>
internal sealed unsafe class ConsumerClient
{
    private readonly nint[] _first = new nint[1];

    private ConsumerClient(ClientHandle handle)
    {
        Handle = handle;
        handle.PollMainFromConsumerQueue();
        Events = EventQueue.Consumer(handle);
        Records = EventQueue.New(handle);
    }

    public ClientHandle Handle { get; }

    public EventQueue Events { get; }

    public EventQueue Records { get; }

    /// <summary>Whether the group wants changes of the assignment, or the whole of it. Known from the first rebalance on.</summary>
    public bool IsCooperative => Handle.RebalanceProtocol() == "COOPERATIVE";

    /// <exception cref="KafkaException">librdkafka refuses the settings, or resources ran out.</exception>
    public static ConsumerClient Create(ConsumerOptions options)
    {
        using var configuration = Configure(options);
        var events = EventKinds.Fetch | EventKinds.Rebalance | EventKinds.Error | EventKinds.OffsetCommit | EventKinds.Statistics;
        return new ConsumerClient(CreationGate.Create(ClientKind.Consumer, configuration, events));
    }

    /// <summary>The records that are there, up to the room; waits for the first one.</summary>
    /// <param name="messages">Gets them; each is to be destroyed.</param>
    /// <param name="wait">For the first one, if there is none.</param>
    public int Take(Span<nint> messages, TimeSpan wait)
    {
        using var use = Records.Use();
        var taken = Take(messages, 0);
        if (taken > 0 || wait <= TimeSpan.Zero)
            return taken;

        // librdkafka waits until the array is full: with room for one it returns with the first.
        if (Take(_first, (int)wait.TotalMilliseconds) == 0)
            return 0;
        messages[0] = _first[0];
        return 1 + Take(messages[1..], 0);
    }

    /// <summary>Makes the partition's records come to <see cref="Records"/>. Before it is assigned.</summary>
    public void Route(TopicPartition partition)
    {
        using var queue = EventQueue.Partition(Handle, partition.Topic, partition.Partition);
        queue.ForwardTo(Records);
    }

    /// <summary>Ends a wait of the consume loop early. Any thread; nothing once the client is closed.</summary>
    public void Wake()
    {
        if (!Handle.TryEnter(out var call))
            return;
        Librdkafka.QueueYield(Events.Pointer);
        Librdkafka.QueueYield(Records.Pointer);
        call.Dispose();
    }

    /// <summary>Destroys a message. By whoever is inside the gate or holds the client.</summary>
    public static void Destroy(nint message) => Librdkafka.MessageDestroy((NativeMessage*)message);

    private int Take(Span<nint> messages, int waitMs)
    {
        if (messages.IsEmpty)
            return 0;
        fixed (nint* array = messages)
        {
            var taken = Librdkafka.ConsumeBatchQueue(Records.Pointer, waitMs, (NativeMessage**)array, (nuint)messages.Length);
            if (taken < 0)
                Librdkafka.LastError().ThrowIfFailed("Taking fetched records");
            return (int)taken;
        }
    }

    private static ClientConfiguration Configure(ConsumerOptions options)
    {
        var configuration = new ClientConfiguration();
        try
        {
            configuration.Set("bootstrap.servers", options.BootstrapServers)
                .Set("group.id", options.GroupId)
                .Set("enable.auto.commit", "false").Set("enable.auto.offset.store", "false")
                .Set("auto.offset.reset", options.StartAt switch
                {
                    StartAt.Earliest => "earliest",
                    StartAt.Latest => "latest",
                    _ => "error",
                });
            if (options.Protocol == GroupProtocol.Consumer)
                configuration.Set("group.protocol", "consumer");
            else
                configuration.Set("partition.assignment.strategy", "cooperative-sticky");

            // What is fetched ahead, and one answer, which comes on top; librdkafka wants room for the largest message in it.
            Number("queued.max.messages.kbytes", options.InHand.PrefetchBytes / 1024);
            Number("fetch.max.bytes", Math.Max(options.InHand.PrefetchBytes, 1 << 20));
            foreach (var (name, value) in options.Properties)
                configuration.Set(name, value);
            return configuration;
        }
        catch
        {
            configuration.Dispose();
            throw;
        }

        void Number(string name, long value) => configuration.Set(name, value.ToString(CultureInfo.InvariantCulture));
    }
}
