using EvenKeel.Testing.Cluster;

namespace ProducerBench;

/// <summary>The one broker of a run, and the topic on it.</summary>
internal sealed class BenchBroker : IAsyncDisposable
{
    public const int Partitions = 4;

    private readonly BrokerProcess? _process;
    private readonly IBroker? _real;

    private BenchBroker(string bootstrapServers, string topic, BrokerProcess? process, IBroker? real)
    {
        BootstrapServers = bootstrapServers;
        Topic = topic;
        _process = process;
        _real = real;
    }

    public string BootstrapServers { get; }

    public string Topic { get; }

    public string Description =>
        $"broker: {(_real is null ? "embedded, in a process of its own" : "real")}, {BootstrapServers}, {Partitions} partitions; "
        + $"{Environment.ProcessorCount} processors shared with it; .NET {Environment.Version}";

    public static async Task<BenchBroker> StartAsync(BenchOptions options)
    {
        var topic = $"bench-{Environment.ProcessId}";
        if (options.BootstrapServers is null)
        {
            var process = await BrokerProcess.StartAsync(topic);
            return new BenchBroker(process.BootstrapServers, topic, process, null);
        }
        var real = TestBroker.Connect(options.BootstrapServers);
        await real.CreateTopicAsync(topic, Partitions);
        return new BenchBroker(options.BootstrapServers, topic, null, real);
    }

    public async ValueTask DisposeAsync()
    {
        _process?.Dispose();
        if (_real is null)
            return;
        await _real.DeleteTopicAsync(Topic);
        await _real.DisposeAsync();
    }
}
