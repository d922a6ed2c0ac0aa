using System.Diagnostics;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;

namespace EvenKeel.Kafka.Tests.Native;

/// <summary>Bare clients for tests, and waits that fail with what they saw.</summary>
internal static class TestClients
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private static int LastName;

    /// <summary>A name for a topic or group that no other test and no earlier run on the same real broker uses.</summary>
    public static string NewName(string what) =>
        $"{what}-{Environment.ProcessId}-{Guid.NewGuid():N}"[..32] + Interlocked.Increment(ref LastName);

    /// <summary>The shortest session of a group that the broker takes, in milliseconds.</summary>
    public static string ShortestSession(bool isEmbedded) => isEmbedded ? $"{EmbeddedBroker.ShortestSession.TotalMilliseconds:0}" : "6000";

    public static ClientHandle Producer(string bootstrapServers, params (string Name, string Value)[] settings)
    {
        using var configuration = new ClientConfiguration().Set("bootstrap.servers", bootstrapServers).Set("linger.ms", "1");
        foreach (var (name, value) in settings)
            configuration.Set(name, value);
        return CreationGate.Create(
            ClientKind.Producer, configuration, EventKinds.DeliveryReport | EventKinds.Error | EventKinds.Statistics);
    }

    public static ClientHandle Consumer(string bootstrapServers, string group, params (string Name, string Value)[] settings)
    {
        using var configuration = new ClientConfiguration()
            .Set("bootstrap.servers", bootstrapServers)
            .Set("group.id", group)
            .Set("auto.offset.reset", "earliest")
            .Set("enable.auto.commit", "false")
            .Set("enable.auto.offset.store", "false")
            .Set("fetch.wait.max.ms", "10");
        foreach (var (name, value) in settings)
            configuration.Set(name, value);
        var client = CreationGate.Create(
            ClientKind.Consumer, configuration, EventKinds.Fetch | EventKinds.Rebalance | EventKinds.Error | EventKinds.OffsetCommit);
        client.PollMainFromConsumerQueue();
        return client;
    }

    /// <summary>Serves a producer's queue until the reports asked for have come; returns each opaque with its outcome.</summary>
    public static unsafe List<Report> TakeReports(EventQueue queue, int count, TimeSpan? limit = null)
    {
        var reports = new List<Report>();
        var buffer = new nint[256];
        var start = Stopwatch.GetTimestamp();
        while (reports.Count < count)
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(50));
            if (next.Kind == EventKinds.DeliveryReport)
            {
                int taken;
                while ((taken = next.TakeMessages(buffer)) > 0)
                {
                    for (var i = 0; i < taken; i++)
                        reports.Add(Report.Of((NativeMessage*)buffer[i]));
                }
            }
            if (Stopwatch.GetElapsedTime(start) > (limit ?? Deadline))
                throw new TimeoutException($"{reports.Count} of {count} reports came within {limit ?? Deadline}.");
        }
        return reports;
    }

    /// <summary>Serves a consumer's queue, rebalances included, until the condition holds; hands over each fetched record.</summary>
    public static unsafe void ServeUntil(ClientHandle consumer, EventQueue queue, Func<bool> condition, Action<nint>? onRecord = null,
        Func<string>? state = null)
    {
        var start = Stopwatch.GetTimestamp();
        var seen = new List<string>();
        while (!condition())
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(20));
            switch (next.Kind)
            {
                case EventKinds.Fetch:
                    var message = next.TakeMessage();
                    if (message->Error == KafkaErrorCode.None)
                        onRecord?.Invoke((nint)message);
                    else
                        seen.Add($"record error {message->Error}");
                    break;
                case EventKinds.Rebalance:
                    seen.Add($"rebalance {next.Error}");
                    consumer.Assign(next.Error == KafkaErrorCode.AssignPartitions ? next.Partitions : null);
                    break;
                case EventKinds.Error:
                    seen.Add($"error {next.Error}: {next.ErrorText}");
                    break;
                case EventKinds.Log:
                    seen.Add(next.Log.Text);
                    break;
            }
            if (Stopwatch.GetElapsedTime(start) > Deadline)
                throw new TimeoutException(
                    $"The condition did not hold within {Deadline}. {state?.Invoke()} Seen: {string.Join(" | ", seen)}");
        }
    }

    public static async Task Until(Func<bool> condition, Func<string> state)
    {
        var start = Stopwatch.GetTimestamp();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline)
                throw new TimeoutException($"The condition did not hold within {Deadline}: {state()}");
            await tick.WaitForNextTickAsync();
        }
    }

    /// <summary>A delivery report, copied.</summary>
    public sealed record Report(nint Opaque, KafkaErrorCode Error, PersistenceStatus Status, int Partition, long Offset, long TimestampMs)
    {
        public static unsafe Report Of(NativeMessage* message)
        {
            int kind;
            return new Report(
                message->Opaque, message->Error, Librdkafka.MessageStatus(message), message->Partition, message->Offset,
                Librdkafka.MessageTimestamp(message, &kind));
        }
    }
}
