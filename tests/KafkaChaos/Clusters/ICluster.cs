namespace KafkaChaos.Clusters;

/// <summary>A Kafka cluster whose nodes can be killed and brought back: a real one, or the embedded one.</summary>
internal interface ICluster : IAsyncDisposable
{
    /// <summary>Where clients connect; the same for the cluster's whole life.</summary>
    string BootstrapServers { get; }

    int Nodes { get; }

    bool IsEmbedded { get; }

    /// <summary>Takes a node away as SIGKILL does.</summary>
    /// <param name="node">From 0.</param>
    /// <param name="cancellation">Ends the wait.</param>
    Task KillAsync(int node, CancellationToken cancellation);

    /// <summary>Brings a node back with its log, on its port; it serves when this returns.</summary>
    /// <param name="node">From 0.</param>
    /// <param name="cancellation">Ends the wait.</param>
    Task ReturnAsync(int node, CancellationToken cancellation);

    /// <summary>Creates a topic, replicated as far as the cluster can.</summary>
    Task CreateTopicAsync(string topic, int partitions, CancellationToken cancellation);

    Task DeleteTopicAsync(string topic, CancellationToken cancellation);
}
