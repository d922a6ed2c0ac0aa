namespace EvenKeel.Kafka.Native;

/// <summary>
/// librdkafka's mock cluster: real brokers on loopback ports, in this process, on a client made for it alone. Brokers are numbered from 1.
/// Any thread may call; after disposal each call throws <see cref="ObjectDisposedException"/>.
/// </summary>
internal sealed unsafe class MockCluster : IAsyncDisposable
{
    private readonly ClientHandle _client;
    private readonly nint _cluster;

    private MockCluster(ClientHandle client, nint cluster, string bootstrapServers)
    {
        _client = client;
        _cluster = cluster;
        BootstrapServers = bootstrapServers;
    }

    public string BootstrapServers { get; }

    /// <summary>Starts the brokers; they listen when this returns.</summary>
    public static MockCluster Start(int brokers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(brokers, 1);
        using var configuration = new ClientConfiguration()
            .Set("client.id", "embedded-broker")
            .Set("log_level", "0"); // Nobody polls this client: its log lines would pile up.
        var client = CreationGate.Create(ClientKind.Producer, configuration, EventKinds.None);
        using var call = client.Enter();
        nint cluster;
        using (BlockedSignals.Begin())
            cluster = Librdkafka.MockClusterNew(call.Client, brokers);
        if (cluster == 0)
        {
            _ = client.CloseAsync(DestroyOptions.None);
            throw new KafkaException(
                KafkaErrorCode.OutOfResources,
                $"The embedded broker could not start {brokers} listener(s): are ports or descriptors used up?");
        }
        client.Own(OwnedKind.MockCluster, cluster);
        return new MockCluster(client, cluster, NativeText.Read(Librdkafka.MockClusterBootstraps(cluster)));
    }

    public KafkaErrorCode CreateTopic(string topic, int partitions, int replication)
    {
        using var call = _client.Enter();
        return Librdkafka.MockTopicCreate(_cluster, topic, partitions, replication);
    }

    public KafkaErrorCode DeleteTopic(string topic)
    {
        using var call = _client.Enter();
        return Librdkafka.MockTopicDelete(_cluster, topic);
    }

    /// <summary>Answers metadata requests for the topic with the error, until it is set to none.</summary>
    public void SetTopicError(string topic, KafkaErrorCode error)
    {
        using var call = _client.Enter();
        Librdkafka.MockTopicSetError(_cluster, topic, error);
    }

    /// <summary>Deletes the records before the offset, as retention would.</summary>
    public void DeleteRecords(string topic, int partition, long beforeOffset)
    {
        using var call = _client.Enter();
        Librdkafka.MockPartitionDeleteRecords(_cluster, topic, partition, beforeOffset)
            .ThrowIfFailed($"Deleting records of {topic}[{partition}] before {beforeOffset}");
    }

    /// <param name="topic">A topic.</param>
    /// <param name="partition">One of its partitions.</param>
    /// <param name="broker">-1: no leader.</param>
    public void SetLeader(string topic, int partition, int broker)
    {
        using var call = _client.Enter();
        Librdkafka.MockPartitionSetLeader(_cluster, topic, partition, broker)
            .ThrowIfFailed($"Moving {topic}[{partition}] to broker {broker}");
    }

    public void SetGroupCoordinator(string group, int broker)
    {
        using var call = _client.Enter();
        Librdkafka.MockCoordinatorSet(_cluster, "group", group, broker)
            .ThrowIfFailed($"Moving the coordinator of '{group}' to broker {broker}");
    }

    /// <summary>How long the first join of a group waits for others.</summary>
    public void SetInitialRebalanceDelay(TimeSpan delay)
    {
        using var call = _client.Enter();
        Librdkafka.MockGroupInitialRebalanceDelay(_cluster, (int)delay.TotalMilliseconds);
    }

    public void AddBroker(int broker)
    {
        using var call = _client.Enter();
        Librdkafka.MockBrokerAdd(_cluster, broker).ThrowIfFailed($"Adding broker {broker}");
    }

    /// <summary>Cuts the broker's connections and refuses new ones. Leads on: no leader is elected in its place.</summary>
    public void SetDown(int broker)
    {
        using var call = _client.Enter();
        Librdkafka.MockBrokerSetDown(_cluster, broker).ThrowIfFailed($"Taking broker {broker} down");
    }

    public void SetUp(int broker)
    {
        using var call = _client.Enter();
        Librdkafka.MockBrokerSetUp(_cluster, broker).ThrowIfFailed($"Bringing broker {broker} up");
    }

    public void SetRoundTripTime(int broker, TimeSpan time)
    {
        using var call = _client.Enter();
        Librdkafka.MockBrokerSetRtt(_cluster, broker, (int)time.TotalMilliseconds).ThrowIfFailed($"Slowing broker {broker} down");
    }

    /// <summary>What the broker tells clients its address is; for a relay in front of it.</summary>
    public void SetAdvertisedAddress(int broker, string host, int port)
    {
        using var call = _client.Enter();
        Librdkafka.MockBrokerSetHostPort(_cluster, broker, host, port);
    }

    /// <summary>Answers the next requests of this kind with these errors, one each; <see cref="KafkaErrorCode.Transport"/> cuts the
    /// connection.</summary>
    public void PushRequestErrors(short api, ReadOnlySpan<KafkaErrorCode> errors)
    {
        using var call = _client.Enter();
        fixed (KafkaErrorCode* first = errors)
            Librdkafka.MockPushRequestErrors(_cluster, api, (nuint)errors.Length, first);
    }

    public void ClearRequestErrors(short api)
    {
        using var call = _client.Enter();
        Librdkafka.MockClearRequestErrors(_cluster, api);
    }

    public void StartTracking()
    {
        using var call = _client.Enter();
        Librdkafka.MockStartRequestTracking(_cluster);
    }

    public void StopTracking()
    {
        using var call = _client.Enter();
        Librdkafka.MockStopRequestTracking(_cluster);
    }

    public void ClearRequests()
    {
        using var call = _client.Enter();
        Librdkafka.MockClearRequests(_cluster);
    }

    /// <summary>The requests since tracking began, by broker and kind, with librdkafka's clock in microseconds.</summary>
    public IReadOnlyList<(int Broker, short Api, long TimeUs)> Requests()
    {
        using var call = _client.Enter();
        nuint count;
        var native = Librdkafka.MockGetRequests(_cluster, &count);
        var requests = new (int, short, long)[(int)count];
        for (var i = 0; i < requests.Length; i++)
        {
            requests[i] = (Librdkafka.MockRequestBroker(native[i]), Librdkafka.MockRequestApi(native[i]),
                Librdkafka.MockRequestTimestamp(native[i]));
        }
        Librdkafka.MockRequestDestroyArray(native, count);
        return requests;
    }

    /// <summary>Ends with the listeners closed and every thread gone.</summary>
    public ValueTask DisposeAsync() => _client.DisposeAsync();
}
