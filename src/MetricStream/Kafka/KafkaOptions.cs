using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;

namespace MetricStream.Kafka;

/// <summary>Which half of the work a server does.</summary>
internal enum ServerRole
{
    /// <summary>Both: takes batches and stores what the topic has.</summary>
    All,

    /// <summary>Takes batches; others store them.</summary>
    Intake,

    /// <summary>Stores; others take batches.</summary>
    Store,
}

/// <summary>Where batches go with <c>--queue kafka</c>, complete and checked.</summary>
internal sealed record KafkaOptions
{
    public const string DefaultTopic = "metrics";
    public const int DefaultPartitions = 4;

    private const string InstanceId = "group.instance.id";
    private const int LetterRoom = 1 << 20;

    /// <summary>Where the cluster is, with librdkafka's own properties.</summary>
    public required KafkaSettings Client { get; init; }

    public string Topic { get; init; } = DefaultTopic;

    /// <summary>How many the topic gets when it is created here.</summary>
    public int Partitions { get; init; } = DefaultPartitions;

    public ServerRole Role { get; init; }

    /// <summary>The group whose members store the topic.</summary>
    public string Group { get; init; } = StoreMember.Group;

    /// <summary>The producer's options: a batch waits 1 ms for company, and the stop has 20 s for everything.</summary>
    public ProducerSettings Producer(long maxQueueBytes) => Client.ForProducer(options => options with
    {
        Linger = SaysLinger ? options.Linger : TimeSpan.FromMilliseconds(1),
        MaxRecordBytes = (int)Math.Min(options.MaxRecordBytes, maxQueueBytes / 4),
        Drain = new DrainLimits { Flush = TimeSpan.FromSeconds(6), Stragglers = TimeSpan.FromSeconds(2) },
    });

    /// <summary>Where records go that cannot be stored.</summary>
    public string DeadLetters => Topic + "-dead-letter";

    /// <summary>Room for the headers of a letter beside a record of any size that the topic takes.</summary>
    public ProducerOptions LetterProducer()
    {
        var options = Client.ForProducer().Options;
        return options with { Linger = TimeSpan.Zero, MaxRecordBytes = options.MaxRecordBytes + LetterRoom };
    }

    /// <summary>The member's options. It is a static one: a server that comes back within the session finds its partitions as they were,
    /// instead of waiting until the group has given up the one that was killed.</summary>
    public ConsumerOptions Member(string server)
    {
        var settings = Client.ForConsumer();
        var options = HostedConsumer.OptionsOf(settings, Group, [Topic]);
        return options.Properties.ContainsKey(InstanceId) ? options : options with
        {
            Properties = new Dictionary<string, string>(options.Properties) { [InstanceId] = $"metricstream-{server}" },
        };
    }

    private bool SaysLinger => Client.Properties.Keys.Any(name => name is "linger.ms" or "queue.buffering.max.ms");
}
