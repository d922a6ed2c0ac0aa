using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Topics;

namespace EvenKeel.Testing.Cluster;

/// <summary>A real cluster, reached by its address and administered by an admin client of its own.</summary>
internal sealed class ExternalBroker : IBroker
{
    private static readonly TimeSpan AdminWait = TimeSpan.FromSeconds(30);
    private readonly ClientHandle _admin;

    public ExternalBroker(string bootstrapServers)
    {
        BootstrapServers = bootstrapServers;
        using var configuration = new ClientConfiguration()
            .Set("client.id", "evenkeel-testing")
            .Set("bootstrap.servers", bootstrapServers)
            .Set("log_level", "0"); // Nobody polls this client; a refusal comes as the answer to its request.
        _admin = CreationGate.Create(ClientKind.Producer, configuration, EventKinds.None);
    }

    public string BootstrapServers { get; }

    public bool IsEmbedded => false;

    public BrokerFaults Faults => throw new NotSupportedException(
        $"Faults cannot be injected into the real broker at {BootstrapServers}. Run this test on the embedded broker "
        + $"(EmbeddedBroker.Start), or make the fault from outside: stop, pause or kill the broker's process.");

    public async Task CreateTopicAsync(string topic, int partitions = 1, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partitions, 1);
        await TopicAdmin.CreateAsync(_admin, TopicName.Valid(topic), partitions, -1, AdminWait, cancellationToken).ConfigureAwait(false);

        // The controller has answered; the brokers that clients ask may hear of it later.
        for (var partition = 0; partition < partitions; partition++)
            await PartitionEnds.AskAsync(_admin, topic, partition, AdminWait, cancellationToken).ConfigureAwait(false);
    }

    public Task DeleteTopicAsync(string topic, CancellationToken cancellationToken = default) =>
        TopicAdmin.DeleteAsync(_admin, TopicName.Valid(topic), AdminWait, cancellationToken);

    /// <exception cref="KafkaException">It is not there, or has members.</exception>
    public Task DeleteGroupAsync(string group) => GroupAdmin.DeleteAsync(_admin, group, AdminWait, CancellationToken.None);

    public Task<string[]> ListGroupsAsync() => GroupAdmin.ListAsync(_admin, AdminWait, CancellationToken.None);

    public Task<string[]> ListTopicsAsync() =>
        Task.Run(() => _admin.Metadata(null, AdminWait).Topics.Select(topic => topic.Name).ToArray());

    public ValueTask DisposeAsync() => _admin.DisposeAsync();
}
