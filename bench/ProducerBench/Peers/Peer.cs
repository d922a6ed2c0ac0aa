using System.Globalization;

namespace ProducerBench.Peers;

/// <summary>One way to send, made anew for each measurement, with the same settings as all others.</summary>
internal abstract class Peer : IAsyncDisposable
{
    public const int Outstanding = 10_000;
    public const int ValueBytes = 200;

    protected byte[] Value { get; } = [.. Enumerable.Range(0, ValueBytes).Select(i => (byte)i)];

    /// <summary>Records delivered so far.</summary>
    public abstract long Delivered { get; }

    /// <summary>Sends until it is stopped; every record has been delivered when this ends.</summary>
    public abstract Task SendAsync(int threads, CancellationToken stop);

    public abstract ValueTask DisposeAsync();

    /// <summary>What our producer sets, and a connection to the broker; librdkafka's names.</summary>
    protected static Dictionary<string, string> Settings(BenchBroker broker, TimeSpan linger) => new()
    {
        ["bootstrap.servers"] = broker.BootstrapServers,
        ["enable.idempotence"] = "true",
        ["acks"] = "all",
        ["partitioner"] = "murmur2_random",
        ["batch.num.messages"] = "1000",
        ["linger.ms"] = linger.TotalMilliseconds.ToString(CultureInfo.InvariantCulture),
        ["queue.buffering.max.messages"] = "101000",
        ["message.timeout.ms"] = "120000",
    };

    protected static InvalidOperationException NotDelivered(string what) =>
        new($"A record was not delivered; the figures would lie: {what}");
}

/// <summary>A worker's own count, alone on its cache line.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 128)]
internal struct PaddedCount
{
    [System.Runtime.InteropServices.FieldOffset(64)]
    public long Value;
}
