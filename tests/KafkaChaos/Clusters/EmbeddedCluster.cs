using EvenKeel.Testing.Cluster;

namespace KafkaChaos.Clusters;

/// <summary>The embedded broker as a cluster under faults. A node that is taken away keeps its partitions: nobody is elected.</summary>
internal sealed class EmbeddedCluster(int nodes = 1) : ICluster
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start(new EmbeddedBrokerOptions { Brokers = nodes });

    public string BootstrapServers => _broker.BootstrapServers;

    public int Nodes => nodes;

    public bool IsEmbedded => true;

    public Task KillAsync(int node, CancellationToken cancellation)
    {
        _broker.Faults.TakeDown(node + 1);
        return Task.CompletedTask;
    }

    public Task ReturnAsync(int node, CancellationToken cancellation)
    {
        _broker.Faults.BringUp(node + 1);
        return Task.CompletedTask;
    }

    public Task CreateTopicAsync(string topic, int partitions, CancellationToken cancellation) =>
        _broker.CreateTopicAsync(topic, partitions, cancellation);

    public Task DeleteTopicAsync(string topic, CancellationToken cancellation) => _broker.DeleteTopicAsync(topic, cancellation);

    public ValueTask DisposeAsync() => _broker.DisposeAsync();
}
