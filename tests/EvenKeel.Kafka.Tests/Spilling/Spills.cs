using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Spilling;

/// <summary>A record as an independent consumer sees it.</summary>
internal sealed record SeenRecord(int Partition, string Key, string Value, string Id);

/// <summary>Spilling producers for tests, in a folder of their own, and a reader of what they wrote.</summary>
internal sealed class Spills : IDisposable
{
    public string Folder { get; } = Path.Combine(Path.GetTempPath(), $"evenkeel-spill-{Guid.NewGuid():n}");

    public static ProducerOptions Client(IBroker broker) => new()
    {
        BootstrapServers = broker.BootstrapServers,
        Linger = TimeSpan.FromMilliseconds(1),
        Drain = new DrainLimits { Flush = TimeSpan.FromSeconds(2), Stragglers = TimeSpan.FromMilliseconds(200) },

        // A broker that comes back is found at once.
        Properties = new Dictionary<string, string>
        {
            ["reconnect.backoff.ms"] = "10",
            ["reconnect.backoff.max.ms"] = "50",
            ["topic.metadata.propagation.max.ms"] = "1",
            ["topic.metadata.refresh.fast.interval.ms"] = "20",
        },
    };

    public SpillOptions Options(SpillAcknowledgement rule = SpillAcknowledgement.Broker) => new()
    {
        Directory = Folder,
        Acknowledgement = rule,
        SpillAfter = TimeSpan.FromMilliseconds(300),
        SegmentBytes = 64 << 10,
        MaxBytes = 64 << 20,
    };

    public SpillingProducer Producer(IBroker broker, SpillAcknowledgement rule = SpillAcknowledgement.Broker) =>
        new(Client(broker), Options(rule));

    public static Task<DeliveryOutcome> Send(
        SpillingProducer producer, string topic, string? key, string? value, IReadOnlyList<RecordHeader>? headers = null) =>
        producer.SendAsync(topic, key, value, headers, TestContext.Current.CancellationToken).AsTask();

    public static Task UntilState(SpillingProducer producer, SpillState state) =>
        Until(() => producer.State == state, () => $"{producer.State} {producer.Counters}");

    /// <summary>The records of a topic, partition by partition in order, until so many different ids were seen.</summary>
    public static async Task<List<SeenRecord>> ReadIdsAsync(IBroker broker, string topic, int partitions, int ids)
    {
        await using var consumer = Consumer(broker.BootstrapServers, NewName("read"));
        using var queue = EventQueue.Consumer(consumer);
        using (var list = new PartitionList())
        {
            for (var i = 0; i < partitions; i++)
                list.Add(topic, i, SpecialOffset.Beginning);
            consumer.Assign(list);
        }
        var records = new List<SeenRecord>();
        var seen = new HashSet<string>();
        ServeUntil(consumer, queue, () => seen.Count >= ids, record =>
        {
            records.Add(See(record));
            seen.Add(records[^1].Id);
        });
        return records;
    }

    /// <summary>Every value once by its first occurrence, in order for each key; repetitions only under one id.</summary>
    public static void AssertHistory(IReadOnlyList<SeenRecord> seen, IEnumerable<(string Key, string Value)> sent)
    {
        foreach (var same in seen.GroupBy(record => (record.Key, record.Value)))
            Assert.Single(same.Select(record => record.Id).Distinct());
        foreach (var key in sent.GroupBy(record => record.Key))
        {
            var first = seen.Where(record => record.Key == key.Key).Select(record => record.Value).Distinct().ToList();
            Assert.Equal(key.Select(record => record.Value), first);
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    private static unsafe SeenRecord See(nint record)
    {
        var message = (NativeMessage*)record;
        var id = "";
        var headers = MessageHeaders.Of(message);
        for (var i = 0; i < headers.Count; i++)
        {
            headers.Read(i, out var name, out var value);
            if (Encoding.UTF8.GetString(name) == SpillingProducer.RecordIdHeader)
                id = Encoding.UTF8.GetString(value);
        }
        return new SeenRecord(
            message->Partition, Encoding.UTF8.GetString(new ReadOnlySpan<byte>(message->Key, (int)message->KeySize)),
            message->Value is null ? "null" : Encoding.UTF8.GetString(new ReadOnlySpan<byte>(message->Value, (int)message->ValueSize)), id);
    }
}
