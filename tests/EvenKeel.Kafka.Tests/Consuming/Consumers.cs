using System.Collections.Concurrent;
using System.Text;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

/// <summary>Consumers for tests, what they handled, and what their group committed.</summary>
internal static class Consumers
{
    /// <summary>The protocols of groups, with the brokers that speak them: the embedded one knows the classic ones alone.</summary>
    public static TheoryData<string, string> BrokersAndProtocols => new()
    {
        { BrokerKinds.Embedded, Cooperative },
        { BrokerKinds.Embedded, Eager },
        { BrokerKinds.Real, Cooperative },
        { BrokerKinds.Real, Eager },
        { BrokerKinds.Real, Consumer },
    };

    public const string Cooperative = "cooperative";
    public const string Eager = "eager";
    public const string Consumer = "consumer";

    public static ConsumerOptions Options(IBroker broker, string group, string topic, string protocol = Cooperative) => new()
    {
        BootstrapServers = broker.BootstrapServers,
        GroupId = group,
        Topics = [topic],
        Protocol = protocol == Consumer ? GroupProtocol.Consumer : GroupProtocol.Classic,
        CommitInterval = TimeSpan.FromMilliseconds(50),
        Failures = new FailureOptions { Backoff = TimeSpan.FromMilliseconds(5), MaxBackoff = TimeSpan.FromMilliseconds(50) },
        Properties = Properties(broker, protocol),
    };

    public static ConsumerOptions With(this ConsumerOptions options, string name, string value) =>
        options with { Properties = new Dictionary<string, string>(options.Properties) { [name] = value } };

    /// <summary>Writes records <c>0…count-1</c>, keys in turn, and returns when they are there.</summary>
    public static async Task FillAsync(IBroker broker, string topic, int count, int keys = 10, int from = 0)
    {
        await using var producer = new ReliableProducer(Producers.Options(broker));
        var outcomes = await Producers.All(Enumerable.Range(from, count).Select(i => producer.Send(topic, $"key-{i % keys}", $"{i}")));
        Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
    }

    public static int Number(this ReceivedRecord record) => int.Parse(Encoding.UTF8.GetString(record.Value.Span));

    public static string KeyText(this ReceivedRecord record) => Encoding.UTF8.GetString(record.Key.Span);

    /// <summary>What the group committed, by partition; -1001 for nothing.</summary>
    public static async Task<long[]> CommittedAsync(IBroker broker, string group, string topic, int partitions)
    {
        await using var client = TestClients.Consumer(broker.BootstrapServers, group);
        using var list = new PartitionList();
        for (var i = 0; i < partitions; i++)
            list.Add(topic, i);
        client.ReadCommitted(list, Deadline);
        return [.. Enumerable.Range(0, partitions).Select(i => list[i].Offset)];
    }

    private static Dictionary<string, string> Properties(IBroker broker, string protocol)
    {
        var properties = new Dictionary<string, string>
        {
            ["fetch.wait.max.ms"] = "10",
            ["topic.metadata.refresh.interval.ms"] = "1000",
        };
        if (protocol == Consumer)
            return properties;
        properties["session.timeout.ms"] = ShortestSession(broker.IsEmbedded);
        properties["heartbeat.interval.ms"] = broker.IsEmbedded ? "200" : "300";
        if (protocol == Eager)
            properties["partition.assignment.strategy"] = "range";
        return properties;
    }
}

/// <summary>What consumers of one test told and handled, in the order in which it happened.</summary>
internal sealed class Heard
{
    private readonly ConcurrentQueue<ConsumerNotice> _notices = new();
    private readonly ConcurrentQueue<(TopicPartition Source, long Offset, string Key, int Number)> _records = new();

    public List<ConsumerNotice> Notices => [.. _notices];

    public List<(TopicPartition Source, long Offset, string Key, int Number)> Records => [.. _records];

    public int Count => _records.Count;

    public int Different => _records.Select(record => record.Number).Distinct().Count();

    public void Take(object? sender, ConsumerNotice notice) => _notices.Enqueue(notice);

    public ValueTask Take(ReceivedRecord record)
    {
        _records.Enqueue((record.Source, record.Offset, record.KeyText(), record.Number()));
        return ValueTask.CompletedTask;
    }

    public Task Until(Func<Heard, bool> condition) => TestClients.Until(() => condition(this), () => $"{this}");

    public override string ToString() =>
        $"{Count} records ({Different} different); "
        + string.Join(" | ", _notices.Select(notice => $"{notice.Kind}: {notice.Text}"));
}
