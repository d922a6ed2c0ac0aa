using System.Text.Json;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>What librdkafka says of one broker; counts since the client began.</summary>
internal readonly record struct BrokerStatistics
{
    public string Host { get; init; }

    public int Port { get; init; }

    public bool IsUp { get; init; }

    /// <summary>Requests not yet sent.</summary>
    public long Queued { get; init; }

    /// <summary>Requests without an answer.</summary>
    public long InFlight { get; init; }

    public long Retries { get; init; }

    public long TimedOut { get; init; }

    public long Errors { get; init; }

    public long Disconnects { get; init; }

    public long BytesSent { get; init; }

    public long BytesReceived { get; init; }

    /// <summary>Requests answered in the last interval.</summary>
    public long RoundTrips { get; init; }

    /// <summary>From a request to its answer, in the last interval; microseconds, 0 if there was none.</summary>
    public long RoundTripMeanUs { get; init; }

    public long RoundTripP99Us { get; init; }
}

/// <summary>What librdkafka says of one partition.</summary>
internal readonly record struct PartitionStatistics(string Topic, int Partition)
{
    /// <summary>Messages that wait to be sent.</summary>
    public long Queued { get; init; }

    public long InFlight { get; init; }

    /// <summary>Records behind the end; -1 while that is not known, and for producers.</summary>
    public long Lag { get; init; }
}

/// <summary>
/// One of librdkafka's statistics (<c>statistics.interval.ms</c>), as far as it is measured; a bounded number of brokers and partitions.
/// </summary>
internal sealed class ClientStatistics
{
    public const int MaxBrokers = 64;
    public const int MaxPartitions = 512;

    private readonly List<BrokerStatistics> _brokers = [];
    private readonly List<PartitionStatistics> _partitions = [];

    private ClientStatistics()
    {
    }

    /// <summary>librdkafka's name for the client.</summary>
    public string Client { get; private set; } = "";

    /// <summary>Microseconds on librdkafka's own clock.</summary>
    public long Timestamp { get; private set; }

    /// <summary>Messages in the client's queues and in flight.</summary>
    public long Messages { get; private set; }

    public long MessageBytes { get; private set; }

    public IReadOnlyList<BrokerStatistics> Brokers => _brokers;

    public IReadOnlyList<PartitionStatistics> Partitions => _partitions;

    /// <summary>Brokers and partitions beyond the bounds.</summary>
    public int Omitted { get; private set; }

    /// <param name="json">As librdkafka writes it.</param>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static ClientStatistics Parse(ReadOnlySpan<byte> json)
    {
        var statistics = new ClientStatistics();
        var reader = new Utf8JsonReader(json);
        reader.Read();
        ForEachMember(ref reader, statistics, static (ref Utf8JsonReader reader, string name, ClientStatistics me) =>
        {
            switch (name)
            {
                case "name":
                    me.Client = reader.GetString() ?? "";
                    break;
                case "ts":
                    me.Timestamp = Number(ref reader);
                    break;
                case "msg_cnt":
                    me.Messages = Number(ref reader);
                    break;
                case "msg_size":
                    me.MessageBytes = Number(ref reader);
                    break;
                case "brokers":
                    ForEachMember(ref reader, me, AddBroker);
                    break;
                case "topics":
                    ForEachMember(ref reader, me, AddTopic);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        });
        return statistics;
    }

    private static void AddBroker(ref Utf8JsonReader reader, string key, ClientStatistics me)
    {
        var found = new Found<BrokerStatistics>();
        ForEachMember(ref reader, found, static (ref Utf8JsonReader reader, string name, Found<BrokerStatistics> found) =>
        {
            switch (name)
            {
                case "nodeid":
                    found.Id = Number(ref reader);
                    break;
                case "nodename":
                    var (host, port) = Split(reader.GetString() ?? "");
                    found.Value = found.Value with { Host = host, Port = port };
                    break;
                case "state":
                    found.Value = found.Value with { IsUp = reader.ValueTextEquals("UP"u8) || reader.ValueTextEquals("UPDATE"u8) };
                    break;
                case "rtt":
                    ForEachMember(ref reader, found, TakeRoundTrip);
                    break;
                default:
                    found.Value = Count(found.Value, name, ref reader);
                    break;
            }
        });

        // The addresses that it began with, and the coordinators, come again under their own ids.
        if (found.Id < 0)
            return;
        if (me._brokers.Count < MaxBrokers)
            me._brokers.Add(found.Value);
        else
            me.Omitted++;
    }

    private static BrokerStatistics Count(in BrokerStatistics broker, string name, ref Utf8JsonReader reader)
    {
        switch (name)
        {
            case "outbuf_cnt":
                return broker with { Queued = Number(ref reader) };
            case "waitresp_cnt":
                return broker with { InFlight = Number(ref reader) };
            case "txretries":
                return broker with { Retries = Number(ref reader) };
            case "req_timeouts":
                return broker with { TimedOut = Number(ref reader) };
            case "txerrs" or "rxerrs":
                return broker with { Errors = broker.Errors + Number(ref reader) };
            case "disconnects":
                return broker with { Disconnects = Number(ref reader) };
            case "txbytes":
                return broker with { BytesSent = Number(ref reader) };
            case "rxbytes":
                return broker with { BytesReceived = Number(ref reader) };
            default:
                reader.Skip();
                return broker;
        }
    }

    private static void TakeRoundTrip(ref Utf8JsonReader reader, string name, Found<BrokerStatistics> found)
    {
        if (name == "cnt")
            found.Value = found.Value with { RoundTrips = Number(ref reader) };
        else if (name == "avg")
            found.Value = found.Value with { RoundTripMeanUs = Number(ref reader) };
        else if (name == "p99")
            found.Value = found.Value with { RoundTripP99Us = Number(ref reader) };
        else
            reader.Skip();
    }

    private static void AddTopic(ref Utf8JsonReader reader, string topic, ClientStatistics me) =>
        ForEachMember(ref reader, (me, topic), static (ref Utf8JsonReader reader, string name, (ClientStatistics, string) place) =>
        {
            if (name == "partitions")
                ForEachMember(ref reader, place, AddPartition);
            else
                reader.Skip();
        });

    private static void AddPartition(ref Utf8JsonReader reader, string key, (ClientStatistics Me, string Topic) place)
    {
        var (me, topic) = place;
        var found = new Found<PartitionStatistics> { Value = new PartitionStatistics(topic, -1) { Lag = -1 } };
        ForEachMember(ref reader, found, static (ref Utf8JsonReader reader, string name, Found<PartitionStatistics> found) =>
        {
            switch (name)
            {
                case "partition":
                    found.Value = found.Value with { Partition = (int)Number(ref reader) };
                    break;
                case "msgq_cnt" or "xmit_msgq_cnt":
                    found.Value = found.Value with { Queued = found.Value.Queued + Number(ref reader) };
                    break;
                case "msgs_inflight":
                    found.Value = found.Value with { InFlight = Number(ref reader) };
                    break;
                case "consumer_lag":
                    found.Value = found.Value with { Lag = Number(ref reader) };
                    break;
                default:
                    reader.Skip();
                    break;
            }
        });

        // -1 is where librdkafka keeps what has no partition yet.
        if (found.Value.Partition < 0)
            return;
        if (me._partitions.Count < MaxPartitions)
            me._partitions.Add(found.Value);
        else
            me.Omitted++;
    }

    private static (string Host, int Port) Split(string node)
    {
        var colon = node.LastIndexOf(':');
        return colon > 0 && int.TryParse(node.AsSpan(colon + 1), out var port) ? (node[..colon].Trim('[', ']'), port) : (node, 0);
    }

    private static long Number(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) ? number : 0;

    /// <summary>Calls for each member of the object that the reader is at; the call leaves the reader at the end of the value.</summary>
    private static void ForEachMember<T>(ref Utf8JsonReader reader, T state, MemberAction<T> action)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            action(ref reader, name, state);
        }
    }

    private delegate void MemberAction<T>(ref Utf8JsonReader reader, string name, T state);

    private sealed class Found<T>
        where T : struct
    {
        public long Id { get; set; } = -1;

        public T Value { get; set; }
    }
}
