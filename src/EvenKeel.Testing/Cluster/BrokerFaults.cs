using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Testing.Cluster;

/// <summary>
/// What can be made to go wrong with an embedded cluster. Brokers are numbered from 1. Every control takes effect for requests that arrive
/// after it returns; any thread may call.
/// </summary>
public sealed class BrokerFaults
{
    // Long enough to outlast any time-out of a test, short enough for librdkafka's clock in microseconds.
    private static readonly TimeSpan Never = TimeSpan.FromDays(7);

    private readonly MockCluster _cluster;
    private readonly int _brokers;
    private readonly Lock _gate = new();

    // Guarded by _gate. The broker that never answers, 0 until it is needed, and the groups that it coordinates.
    private int _silentBroker;
    private readonly HashSet<string> _silenced = [];

    internal BrokerFaults(MockCluster cluster, int brokers)
    {
        _cluster = cluster;
        _brokers = brokers;
    }

    /// <summary>Cuts a broker's connections and refuses new ones. It keeps leading its partitions: nobody is elected.</summary>
    /// <param name="broker">From 1; absent: all.</param>
    public void TakeDown(int? broker = null) => ForEach(broker, _cluster.SetDown);

    /// <summary>Lets a broker listen again, with its records.</summary>
    /// <param name="broker">From 1; absent: all.</param>
    public void BringUp(int? broker = null) => ForEach(broker, _cluster.SetUp);

    /// <summary>Delays every answer of a broker.</summary>
    /// <param name="time">Zero: no delay.</param>
    /// <param name="broker">From 1; absent: all.</param>
    public void SetRoundTripTime(TimeSpan time, int? broker = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(time, Never);
        ForEach(broker, number => _cluster.SetRoundTripTime(number, time));
    }

    /// <summary>
    /// Fails the next requests of a kind, one error each in this order; those after them succeed. <see cref="KafkaErrorCode.Transport"/>
    /// cuts the connection instead of answering; a negative code otherwise, or none, is answered as success.
    /// </summary>
    /// <param name="api">The kind of request.</param>
    /// <param name="errors">What the broker answers.</param>
    public void FailRequests(KafkaApi api, params ReadOnlySpan<KafkaErrorCode> errors) => _cluster.PushRequestErrors((short)api, errors);

    /// <summary>Forgets the errors of a kind that were not answered yet.</summary>
    /// <param name="api">The kind of request.</param>
    public void StopFailing(KafkaApi api) => _cluster.ClearRequestErrors((short)api);

    /// <summary>Answers every question about a topic with an error: as if it were deleted, or its permission taken away.</summary>
    /// <param name="topic">A topic.</param>
    /// <param name="error"><see cref="KafkaErrorCode.None"/> ends it.</param>
    public void SetTopicError(string topic, KafkaErrorCode error) => _cluster.SetTopicError(topic, error);

    /// <summary>Moves the leadership of a partition; the old leader refuses what still comes to it.</summary>
    /// <param name="topic">A topic.</param>
    /// <param name="partition">From 0.</param>
    /// <param name="broker">From 1; null: no leader.</param>
    public void MoveLeader(string topic, int partition, int? broker) => _cluster.SetLeader(topic, partition, broker ?? -1);

    /// <summary>Moves a group's coordinator; its members and offsets stay.</summary>
    /// <param name="group">The group.</param>
    /// <param name="broker">From 1.</param>
    public void MoveCoordinator(string group, int broker) => _cluster.SetGroupCoordinator(group, broker);

    /// <summary>
    /// Makes a broker the group's coordinator that accepts connections and never answers: the case in which closing a consumer hangs.
    /// All other requests are answered as before.
    /// </summary>
    /// <param name="group">The group.</param>
    public void SilenceCoordinator(string group)
    {
        lock (_gate)
        {
            if (_silentBroker == 0)
            {
                // It leads no partition, so only the groups notice.
                _cluster.AddBroker(_brokers + 1);
                _silentBroker = _brokers + 1;
            }
            _cluster.SetUp(_silentBroker);
            _cluster.SetRoundTripTime(_silentBroker, Never);
            _cluster.SetGroupCoordinator(group, _silentBroker);
            _silenced.Add(group);
        }
    }

    /// <summary>
    /// Ends the silence: the coordinator is broker 1 again, and whoever waits for an answer loses the connection. Other groups that are
    /// silenced lose it as well, find the same coordinator, and get no answer from it.
    /// </summary>
    /// <param name="group">The group.</param>
    public void EndSilence(string group)
    {
        lock (_gate)
        {
            _cluster.SetGroupCoordinator(group, 1);
            if (!_silenced.Remove(group))
                return;

            // Answers that are held back stay so until their time: only a cut connection makes clients ask again.
            _cluster.SetDown(_silentBroker);
            if (_silenced.Count > 0)
                _cluster.SetUp(_silentBroker);
            else
                _cluster.SetRoundTripTime(_silentBroker, TimeSpan.Zero);
        }
    }

    /// <summary>Starts to remember the requests that come, for <see cref="Requests"/>; forgets what was there.</summary>
    public void StartRecording()
    {
        _cluster.ClearRequests();
        _cluster.StartTracking();
    }

    /// <summary>Stops to remember, and forgets.</summary>
    public void StopRecording()
    {
        _cluster.StopTracking();
        _cluster.ClearRequests();
    }

    /// <summary>The requests that came since <see cref="StartRecording"/>, in order.</summary>
    public IReadOnlyList<BrokerRequest> Requests() =>
        [.. _cluster.Requests().Select(request => new BrokerRequest(request.Broker, (KafkaApi)request.Api))];

    private void ForEach(int? broker, Action<int> action)
    {
        if (broker is { } one)
        {
            action(one);
            return;
        }
        for (var number = 1; number <= _brokers; number++)
            action(number);
    }
}

/// <summary>A request that a broker of the embedded cluster received.</summary>
/// <param name="Broker">From 1.</param>
/// <param name="Api">Its kind; a number without a name is possible.</param>
public readonly record struct BrokerRequest(int Broker, KafkaApi Api);
