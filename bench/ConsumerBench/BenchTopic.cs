using EvenKeel.Kafka.Producing;
using EvenKeel.Testing.Cluster;

namespace ConsumerBench;

/// <summary>The topic that is read: filled once, within what the embedded broker keeps of a partition.</summary>
internal sealed class BenchTopic : IAsyncDisposable
{
    public const int Partitions = 8;
    private const int RecordsAPartition = 35_000;
    private readonly IBroker _broker;

    private BenchTopic(IBroker broker, string name)
    {
        _broker = broker;
        Name = name;
    }

    public string Name { get; }

    public string BootstrapServers => _broker.BootstrapServers;

    public const int Records = Partitions * RecordsAPartition;

    public static async Task<BenchTopic> FillAsync(string? bootstrapServers)
    {
        var broker = bootstrapServers is null ? EmbeddedBroker.Start() : TestBroker.Connect(bootstrapServers);
        var topic = new BenchTopic(broker, $"bench-{Guid.NewGuid():N}");
        await broker.CreateTopicAsync(topic.Name, Partitions);
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = broker.BootstrapServers });
        var (value, sends) = (new byte[100], new List<Task<DeliveryOutcome>>());
        for (var i = 0; i < BenchTopic.Records; i++)
        {
            sends.Add(producer.SendAsync(topic.Name, BitConverter.GetBytes(i % 4096), value).AsTask());
            if (sends.Count == 10_000)
                await EndAsync(sends);
        }
        await EndAsync(sends);
        return topic;
    }

    public ValueTask DisposeAsync() => _broker.DisposeAsync();

    private static async Task EndAsync(List<Task<DeliveryOutcome>> sends)
    {
        foreach (var outcome in await Task.WhenAll(sends))
        {
            if (!outcome.IsDelivered)
                throw new InvalidOperationException($"A record was not written: {outcome}");
        }
        sends.Clear();
    }
}
