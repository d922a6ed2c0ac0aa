using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using EvenKeel.Kafka.Consuming;

namespace ConsumerBench;

/// <summary>What one reading came to, from the first record to the last.</summary>
internal readonly record struct Measured(double RecordsASecond, double BytesARecord)
{
    public static Measured Median(List<Measured> all) => all.OrderBy(one => one.RecordsASecond).ElementAt(all.Count / 2);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{RecordsASecond:0} records/s, {BytesARecord:0} bytes allocated a record");
}

/// <summary>The readings, each by a group of its own.</summary>
internal sealed class Reads(BenchTopic topic)
{
    public Measured Confluent()
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = topic.BootstrapServers,
            GroupId = $"{Guid.NewGuid():N}",
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            FetchWaitMaxMs = 1,
        }).Build();
        consumer.Subscribe(topic.Name);
        var bytes = 0L;
        bytes += consumer.Consume().Message.Value.Length;
        var (start, allocated) = (Stopwatch.GetTimestamp(), GC.GetTotalAllocatedBytes());
        for (var read = 1; read < BenchTopic.Records; read++)
            bytes += consumer.Consume().Message.Value.Length;
        var measured = End(BenchTopic.Records, start, allocated);
        consumer.Close();
        return bytes == BenchTopic.Records * 100L ? measured : throw new InvalidOperationException($"{bytes} bytes were read.");
    }

    public async Task<Measured> OursAsync(int lanes, int records, bool busy)
    {
        var (read, bytes, start, allocated) = (0, 0L, 0L, 0L);
        var done = new TaskCompletionSource<Measured>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var never = new SemaphoreSlim(0);
        await using var consumer = new ReliableConsumer(
            new ConsumerOptions
            {
                BootstrapServers = topic.BootstrapServers,
                GroupId = $"{Guid.NewGuid():N}",
                Topics = [topic.Name],
                Lanes = lanes,
                Properties = new Dictionary<string, string> { ["fetch.wait.max.ms"] = "1" },
            },
            (record, _) =>
            {
                Interlocked.Add(ref bytes, record.Value.Length);
                if (busy)
                    never.Wait(1, CancellationToken.None);
                var number = Interlocked.Increment(ref read);
                if (number == 1)
                    (start, allocated) = (Stopwatch.GetTimestamp(), GC.GetTotalAllocatedBytes());
                else if (number == records)
                    done.TrySetResult(End(records, start, allocated));
                return ValueTask.CompletedTask;
            });
        var measured = await done.Task;
        return bytes >= records * 100L ? measured : throw new InvalidOperationException($"{bytes} bytes were read.");
    }

    private static Measured End(int records, long start, long allocated) =>
        new(records / Stopwatch.GetElapsedTime(start).TotalSeconds, (double)(GC.GetTotalAllocatedBytes() - allocated) / records);
}
