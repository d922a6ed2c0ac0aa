using System.Collections.Concurrent;
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
        SpillAfter = TimeSpan.FromMilliseconds(500),
        SegmentBytes = 64 << 10,
        MaxBytes = 64 << 20,
    };

    public SpillingProducer Producer(IBroker broker, SpillAcknowledgement rule = SpillAcknowledgement.Broker) =>
        new(Client(broker), Options(rule));

    /// <summary>Collects what a producer tells.</summary>
    public static ConcurrentQueue<ProducerNotice> Notices(SpillingProducer producer)
    {
        var notices = new ConcurrentQueue<ProducerNotice>();
        producer.Noticed += (_, notice) => notices.Enqueue(notice);
        return notices;
    }

    public static Task UntilTold(ConcurrentQueue<ProducerNotice> notices, ProducerNoticeKind kind) =>
        Until(
            () => notices.Any(notice => notice.Kind == kind),
            () => string.Join(" | ", notices.Where(notice => notice.Kind != ProducerNoticeKind.Log).Select(notice => notice.Text)));

    /// <summary>The spill as a crash would leave it now, in a folder of its own.</summary>
    public Spills Copy()
    {
        var copy = new Spills();
        foreach (var file in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories))
        {
            // A lock is its holder's, and held.
            if (Path.GetFileName(file) == "queue.lock")
                continue;
            var target = Path.Combine(copy.Folder, Path.GetRelativePath(Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var destination = File.Create(target);
            source.CopyTo(destination);
        }
        return copy;
    }

    public static Task<DeliveryOutcome> Send(
        SpillingProducer producer, string topic, string? key, string? value, IReadOnlyList<RecordHeader>? headers = null) =>
        producer.SendAsync(topic, key, value, headers, TestContext.Current.CancellationToken).AsTask();

    public static Task UntilState(SpillingProducer producer, SpillState state) =>
        Until(() => producer.State == state, () => $"{producer.State} {producer.Counters}");

    /// <summary>The records of a topic, partition by partition in order, until so many different ids were seen.</summary>
    public static Task<List<SeenRecord>> ReadIdsAsync(IBroker broker, string topic, int partitions, int ids)
    {
        var seen = new HashSet<string>();
        return ReadUntilAsync(broker, topic, partitions, record => seen.Add(record.Id) && seen.Count >= ids, ids == 0);
    }

    public static async Task<List<SeenRecord>> ReadUntilAsync(
        IBroker broker, string topic, int partitions, Func<SeenRecord, bool> isLast, bool isNothing, Func<string>? state = null)
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
        var isOver = isNothing;
        ServeUntil(
            consumer, queue, () => isOver, record =>
            {
                records.Add(See(record));
                isOver |= isLast(records[^1]);
            },
            () => $"{records.Count} records of '{topic}' were read, by partition: "
                + string.Join(", ", records.CountBy(record => record.Partition)) + $". {state?.Invoke()}");
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
            var order = key.Select(record => record.Value).ToList();
            Assert.True(
                order.SequenceEqual(first),
                $"'{key.Key}' is out of order. Sent: {string.Join(' ', order)}. In Kafka, value@partition: "
                + string.Join(' ', seen.Where(record => record.Key == key.Key).Select(record => $"{record.Value}@{record.Partition}")));
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
