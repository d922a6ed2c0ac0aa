using System.Net;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Kafka;

namespace MetricStream.Serving;

/// <summary>Where acknowledged batches wait for the store.</summary>
internal enum QueueKind
{
    /// <summary>A durable queue on local disk.</summary>
    File,

    /// <summary>A topic of Kafka, with a spill on local disk for the time it is away.</summary>
    Kafka,
}

/// <summary>Where batches end.</summary>
internal enum StoreKind
{
    Sqlite,

    /// <summary>A PostgreSQL, which several servers may share.</summary>
    Postgres,

    /// <summary>Nowhere: batches stay in the queue.</summary>
    None,
}

/// <summary>How the log's lines look.</summary>
internal enum LogFormat
{
    /// <summary>A line for people.</summary>
    Text,

    /// <summary>A JSON object a line, with the values of the message by their names.</summary>
    Json,
}

/// <summary>What the server was told, complete and checked. The defaults are those of the outward contract.</summary>
internal sealed record ServeSettings
{
    /// <summary>The name of the server in its data directory; empty before it has one.</summary>
    public string ServerId { get; init; } = "";

    public IPAddress Host { get; init; } = IPAddress.Loopback;

    /// <summary>0: any free port.</summary>
    public int Port { get; init; } = 8090;

    /// <summary>Lets others than this machine in although nobody is asked for a key.</summary>
    public bool Insecure { get; init; }

    /// <summary>The file of the keys that requests need; empty: none is asked for.</summary>
    public string ApiKeys { get; init; } = "";

    /// <summary>What the file has; null exactly without a file.</summary>
    public KeyRing? Keys { get; init; }

    /// <summary>Batches a second for each client; 0: no limit.</summary>
    public int RateLimit { get; init; }

    /// <summary>The most connections at once; fewer where the process may not open as many descriptors.</summary>
    public int MaxConnections { get; init; } = 10_000;

    public LogFormat LogFormat { get; init; }

    /// <summary>Kestrel's own section of the configuration; null where there is none.</summary>
    public IConfiguration? Kestrel { get; init; }

    /// <summary>Where all of this was read, to be read again; null where nothing was read.</summary>
    public SettingsSource? Source { get; init; }

    public string Data { get; init; } = "./metricstream-data";

    public QueueKind Queue { get; init; } = QueueKind.File;

    /// <summary>Set exactly with <see cref="QueueKind.Kafka"/>.</summary>
    public KafkaOptions? Kafka { get; init; }

    public AckMode Ack { get; init; }

    public StoreKind Store { get; init; } = StoreKind.Sqlite;

    /// <summary>Where the store is with <see cref="StoreKind.Postgres"/>: a connection string; else empty.</summary>
    public string Postgres { get; init; } = "";

    /// <summary>How long samples are kept.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>How long batch ids, and with them the posted batches, are kept.</summary>
    public TimeSpan IdWindow { get; init; } = TimeSpan.FromHours(24);

    public long MaxQueueBytes { get; init; } = 10L << 30;

    public int MaxBodyBytes { get; init; } = 32 << 20;

    /// <summary>The most readers of the queue that the subscribers of <c>/stream</c> share.</summary>
    public int SseConsumerPoolSize { get; init; } = 10;

    /// <summary>The most subscribers of <c>/stream</c>.</summary>
    public int SseMaxSubscribers { get; init; } = 2000;

    public string QueueFolder => Path.Combine(Data, "queue");

    /// <summary>Where batches wait while Kafka is away.</summary>
    public string SpillFolder => Path.Combine(Data, "spill");

    public string StoreFile => Path.Combine(Data, "store", "metrics.db");
}
