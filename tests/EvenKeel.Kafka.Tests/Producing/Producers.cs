using System.Diagnostics;
using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>Producers for tests, and a reader of what they wrote.</summary>
internal static class Producers
{
    public static readonly DrainLimits Short = new()
    {
        Flush = TimeSpan.FromMilliseconds(150),
        Stragglers = TimeSpan.FromMilliseconds(150),
    };

    public static ProducerOptions Options(IBroker broker) =>
        new() { BootstrapServers = broker.BootstrapServers, Linger = TimeSpan.FromMilliseconds(1) };

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static Task<DeliveryOutcome> Send(
        this ReliableProducer producer, string topic, string? key, string? value, IReadOnlyList<RecordHeader>? headers = null,
        CancellationToken? token = null) =>
        producer.SendAsync(topic, key, value, headers, token ?? TestContext.Current.CancellationToken).AsTask();

    public static Task<DeliveryOutcome> Send(
        this ReliableProducer producer, string topic, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value,
        IReadOnlyList<RecordHeader>? headers = null, CancellationToken? token = null) =>
        producer.SendAsync(topic, key, value, headers, token ?? TestContext.Current.CancellationToken).AsTask();

    /// <summary>Awaits all, with a deadline that says how many have ended.</summary>
    public static async Task<DeliveryOutcome[]> All(IEnumerable<Task<DeliveryOutcome>> sends, TimeSpan? limit = null)
    {
        var tasks = sends.ToArray();
        try
        {
            return await Task.WhenAll(tasks).WaitAsync(limit ?? Deadline);
        }
        catch (TimeoutException)
        {
            var ended = tasks.Count(task => task.IsCompleted);
            throw new TimeoutException($"{ended} of {tasks.Length} sends ended within {limit ?? Deadline}.");
        }
    }

    /// <summary>Values of a topic's records, partition by partition in order.</summary>
    public static async Task<List<(int Partition, string Key, string Value)>> ReadAsync(
        IBroker broker, string topic, int partitions, int count)
    {
        await using var consumer = Consumer(broker.BootstrapServers, NewName("read"));
        using var queue = EventQueue.Consumer(consumer);
        using (var list = new PartitionList())
        {
            for (var i = 0; i < partitions; i++)
                list.Add(topic, i, SpecialOffset.Beginning);
            consumer.Assign(list);
        }
        var records = new List<(int, string, string)>();
        ServeUntil(consumer, queue, () => records.Count >= count, record => records.Add(Text(record)));
        return records;
    }

    public static TimeSpan Since(long start) => Stopwatch.GetElapsedTime(start);

    private static unsafe (int, string, string) Text(nint record)
    {
        var message = (NativeMessage*)record;
        return (
            message->Partition, Encoding.UTF8.GetString(new ReadOnlySpan<byte>(message->Key, (int)message->KeySize)),
            message->Value is null ? "null" : Encoding.UTF8.GetString(new ReadOnlySpan<byte>(message->Value, (int)message->ValueSize)));
    }
}
