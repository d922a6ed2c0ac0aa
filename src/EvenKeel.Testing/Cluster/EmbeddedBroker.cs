using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Testing.Cluster;

/// <summary>
/// A Kafka cluster inside the test process (librdkafka's mock cluster): it listens on loopback ports that the system chooses, within
/// milliseconds, and any Kafka client can use it.
/// </summary>
/// <remarks>
/// <para>What it does not do, so test it on a real broker (<c>EVENKEEL_BOOTSTRAP_SERVERS</c>): requests of admin clients (topics are
/// created here or on first use), TLS and SASL, ACLs, read_committed, offsets by time, replication and elections (a broker that is down
/// keeps its partitions), anything on disk.</para>
/// <para>It keeps at most 5 MiB and 100,000 batches a partition and then drops the oldest <b>silently</b>: a test that counts must read
/// while it writes, or use more partitions.</para>
/// <para>It answers a fetch when its longest wait is over, not when a record comes: give consumers <c>fetch.wait.max.ms=10</c>, or each
/// new record takes librdkafka's default of 500 ms. A topic that is used before it is created has 4 partitions.</para>
/// <para>After a member has left a group, the next one is let in only <c>session.timeout.ms</c> less one second later, 44 s with the
/// default: give consumers <see cref="ShortestSession"/> where a group changes hands. Not less: with 2 s or less a member that waits to be
/// let in can lose its own session meanwhile, and is then never answered.</para>
/// <para>Clients that outlive it see a broker that is gone; dispose of it after them.</para>
/// </remarks>
public sealed class EmbeddedBroker : IBroker
{
    private const int MaxReplication = 3;
    private readonly MockCluster _cluster;
    private readonly int _brokers;

    private EmbeddedBroker(MockCluster cluster, int brokers)
    {
        _cluster = cluster;
        _brokers = brokers;
        Faults = new BrokerFaults(cluster, brokers);
    }

    /// <summary>The shortest <c>session.timeout.ms</c> with which groups are safe here: 2.5 s.</summary>
    /// <remarks>
    /// These brokers look for ended sessions once a second, let a group wait for a session less one second, and forget the request of a
    /// waiting member whose session ends. So the wait for a member that vanished, a session less one second for its join and a session for
    /// its assignment, must be longer than what is left of its session and the second until that is seen.
    /// </remarks>
    public static TimeSpan ShortestSession { get; } = TimeSpan.FromMilliseconds(2500);

    /// <inheritdoc/>
    public string BootstrapServers => _cluster.BootstrapServers;

    /// <inheritdoc/>
    public bool IsEmbedded => true;

    /// <inheritdoc/>
    public BrokerFaults Faults { get; }

    /// <summary>Starts a cluster; it accepts connections when this returns.</summary>
    /// <param name="options">Absent: one broker.</param>
    /// <exception cref="ArgumentException">An option is outside its limits.</exception>
    /// <exception cref="KafkaException">No port could be opened.</exception>
    /// <exception cref="DllNotFoundException">librdkafka is not there; the message names where it was looked for.</exception>
    public static EmbeddedBroker Start(EmbeddedBrokerOptions? options = null)
    {
        options ??= new EmbeddedBrokerOptions();
        options.ThrowIfInvalid();
        var cluster = MockCluster.Start(options.Brokers);
        cluster.SetInitialRebalanceDelay(options.InitialRebalanceDelay);
        return new EmbeddedBroker(cluster, options.Brokers);
    }

    /// <inheritdoc/>
    public Task CreateTopicAsync(string topic, int partitions = 1, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfLessThan(partitions, 1);
        ThrowIfFailed(
            _cluster.CreateTopic(TopicName.Valid(topic), partitions, Math.Min(MaxReplication, _brokers)), $"Creating topic '{topic}'");
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DeleteTopicAsync(string topic, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfFailed(_cluster.DeleteTopic(TopicName.Valid(topic)), $"Deleting topic '{topic}'");
        return Task.CompletedTask;
    }

    /// <summary>Deletes the records of a partition before an offset, as retention does.</summary>
    /// <param name="topic">A topic.</param>
    /// <param name="partition">From 0.</param>
    /// <param name="beforeOffset">The first offset to stay.</param>
    public void DeleteRecords(string topic, int partition, long beforeOffset) => _cluster.DeleteRecords(topic, partition, beforeOffset);

    /// <summary>Closes the listeners and waits for every thread of the cluster.</summary>
    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private static void ThrowIfFailed(KafkaErrorCode code, string doing)
    {
        if (code != KafkaErrorCode.None)
            throw new KafkaException(code, $"{doing} on the embedded broker: {code.Describe()}");
    }
}
