using System.Diagnostics;
using System.Globalization;
using System.Text;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace KafkaChaos.Checks;

/// <summary>A record as it lies in Kafka's log.</summary>
/// <param name="Key">The number in <c>key-17</c>; -1 if it is none of ours.</param>
/// <param name="Number">The number that its value begins with.</param>
/// <param name="Partition">Where it is.</param>
/// <param name="Offset">Where it is.</param>
/// <param name="RecordId">Its header <c>record-id</c>, as hexadecimal digits; null without one.</param>
internal readonly record struct LogRecord(int Key, int Number, int Partition, long Offset, string? RecordId);

/// <summary>A reader of a whole topic from its beginning, in order per partition.</summary>
internal sealed class LogReader(string bootstrapServers, string topic, IReadOnlyDictionary<string, string>? properties = null)
{
    private static readonly TimeSpan PollWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BrokerWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(60);

    /// <summary>Reads on until the writer is done, and then what was written by then.</summary>
    /// <param name="isWritten">The writer is done.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public Task<List<LogRecord>> ReadAsync(Func<bool> isWritten, CancellationToken cancellation) =>
        Task.Factory.StartNew(() => Read(isWritten, cancellation), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private List<LogRecord> Read(Func<bool> isWritten, CancellationToken cancellation)
    {
        using var configuration = Configure();
        var client = CreationGate.Create(ClientKind.Consumer, configuration, EventKinds.Fetch | EventKinds.Error);
        try
        {
            client.PollMainFromConsumerQueue();
            using var queue = EventQueue.Consumer(client);
            var partitions = AssignAll(client, cancellation);
            var records = new List<LogRecord>();
            var next = new long[partitions];
            var ends = (long[]?)null;
            var heard = Stopwatch.GetTimestamp();
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                if (ends is null && isWritten())
                    ends = [.. Enumerable.Range(0, partitions).Select(partition => client.QueryWatermarks(topic, partition, BrokerWait).High)];
                if (ends is not null && next.Zip(ends).All(pair => pair.First >= pair.Second))
                    return records;
                if (Take(queue, records, next))
                    heard = Stopwatch.GetTimestamp();
                else if (ends is not null && Stopwatch.GetElapsedTime(heard) > SilenceLimit)
                    throw new TimeoutException($"{topic}: read up to {Text(next)}, the ends are {Text(ends)}, and nothing comes.");
            }
        }
        finally
        {
            // Its end is nothing to wait for: it holds no group.
            _ = client.CloseAsync(DestroyOptions.NoConsumerClose);
        }
    }

    private static string Text(long[] offsets) => string.Join(",", offsets);

    private int AssignAll(ClientHandle client, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        var last = "it has no partitions";
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var found = client.Metadata(client.Topic(topic), PollWait).Topics.Single();
                if (found.Partitions.Count > 0)
                {
                    using var list = new PartitionList();
                    foreach (var partition in found.Partitions)
                        list.Add(topic, partition.Id, SpecialOffset.Beginning);
                    client.Assign(list);
                    return found.Partitions.Count;
                }
            }
            catch (KafkaException failed)
            {
                last = failed.Message;
            }
            if (Stopwatch.GetElapsedTime(start) > BrokerWait)
                throw new TimeoutException($"Topic {topic} cannot be read after {BrokerWait}: {last}");
        }
    }

    private ClientConfiguration Configure()
    {
        var configuration = new ClientConfiguration()
            .Set("bootstrap.servers", bootstrapServers).Set("group.id", "kafka-chaos").Set("enable.auto.commit", "false")
            .Set("auto.offset.reset", "earliest").Set("fetch.wait.max.ms", "10");
        foreach (var (name, value) in properties ?? new Dictionary<string, string>())
            configuration.Set(name, value);
        return configuration;
    }

    private static unsafe bool Take(EventQueue queue, List<LogRecord> records, long[] next)
    {
        using var taken = queue.Poll(PollWait);
        if (taken.Kind != EventKinds.Fetch)
            return false;
        var message = taken.TakeMessage();
        message->Error.ThrowIfFailed("Reading the log");
        records.Add(new LogRecord(
            Number(new ReadOnlySpan<byte>(message->Key, (int)message->KeySize), "key-"u8),
            Number(new ReadOnlySpan<byte>(message->Value, (int)message->ValueSize), ""u8),
            message->Partition, message->Offset, RecordId(message)));
        next[message->Partition] = message->Offset + 1;
        return true;
    }

    private static int Number(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix)
    {
        if (!text.StartsWith(prefix))
            return -1;
        text = text[prefix.Length..];
        var dot = text.IndexOf((byte)'.');
        var digits = Encoding.ASCII.GetString(dot < 0 ? text : text[..dot]);
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;
    }

    private static unsafe string? RecordId(NativeMessage* message)
    {
        var headers = MessageHeaders.Of(message);
        for (var i = 0; i < headers.Count; i++)
        {
            if (headers.Read(i, out var name, out var value) && name.SequenceEqual("record-id"u8))
                return Convert.ToHexString(value);
        }
        return null;
    }
}
