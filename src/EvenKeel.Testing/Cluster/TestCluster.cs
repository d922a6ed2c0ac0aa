using EvenKeel.Kafka.Producing;

namespace EvenKeel.Testing.Cluster;

/// <summary>The one Kafka cluster of a test run, with the one producer that its tests share.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    private readonly Func<ValueTask>? _stop;
    private readonly Lazy<ReliableProducer> _producer;
    private int _disposed;

    private TestCluster(IBroker broker, Func<ValueTask>? stop)
    {
        Broker = broker;
        _stop = stop;
        _producer = new Lazy<ReliableProducer>(() => new ReliableProducer(new ProducerOptions
        {
            BootstrapServers = broker.BootstrapServers,
            Linger = TimeSpan.Zero,
            DeliveryTimeout = TimeSpan.FromSeconds(30),
            Drain = new DrainLimits { Flush = TimeSpan.FromSeconds(5), Stragglers = TimeSpan.FromSeconds(1) },
            Properties = new Dictionary<string, string>
            {
                ["client.id"] = "evenkeel-testing",
                ["socket.timeout.ms"] = "5000",
                ["topic.metadata.refresh.fast.interval.ms"] = "50",
            },
        }));
    }

    /// <summary>The broker, to create topics and make faults.</summary>
    public IBroker Broker { get; }

    /// <summary>Where clients connect.</summary>
    public string BootstrapServers => Broker.BootstrapServers;

    /// <summary>It runs inside this process.</summary>
    public bool IsEmbedded => Broker.IsEmbedded;

    /// <summary>
    /// librdkafka's properties for consumers of the service under test: they join, receive and leave quickly here. On a real broker the
    /// times of the group are those that took a suite of the field from 70 s to 20-35 s; the embedded one lets a group's next member in
    /// when the session of the last is over, and answers a fetch when its wait is.
    /// </summary>
    public IReadOnlyDictionary<string, string> ConsumerProperties =>
        new Dictionary<string, string>(QuickConsumer(IsEmbedded)) { ["fetch.wait.max.ms"] = "10" };

    /// <summary>The producer of all tests, made at its first use. Sends at once, without linger.</summary>
    public IRecordProducer Producer => _producer.Value;

    /// <summary>Starts the cluster, or connects to it; ready when this returns, embedded within milliseconds.</summary>
    /// <param name="options">Absent: the environment's, or else the embedded one.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="TimeoutException">The delegate that starts it took too long.</exception>
    public static async Task<TestCluster> StartAsync(TestClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new TestClusterOptions();
        if (!options.IgnoresEnvironment && TestBroker.ExternalAddress is { } address)
            return new TestCluster(TestBroker.Connect(address), null);
        if (options.Start is { } start)
        {
            var started = await StartAsync(start, options.StartLimit, cancellationToken).ConfigureAwait(false);
            return new TestCluster(TestBroker.Connect(started.BootstrapServers), started.StopAsync);
        }
        return new TestCluster(EmbeddedBroker.Start(options.Embedded), null);
    }

    private static async Task<StartedBroker> StartAsync(
        Func<CancellationToken, Task<StartedBroker>> start, TimeSpan startLimit, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var starting = start(limit.Token);
        try
        {
            return await starting.WaitAsync(startLimit, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception given) when (!starting.IsCompleted && given is TimeoutException or OperationCanceledException)
        {
            _ = StopLateAsync(starting);
            await limit.CancelAsync().ConfigureAwait(false);
            if (given is OperationCanceledException)
                throw;
            throw new TimeoutException(
                $"The broker that TestClusterOptions.Start starts was not there after {startLimit}. Make StartLimit longer, or "
                + $"name a running one in {TestBroker.AddressVariable}.", given);
        }
    }

    /// <summary>What comes up after nobody waits for it any more would run for ever.</summary>
    private static async Task StopLateAsync(Task<StartedBroker> starting)
    {
        await ((Task)starting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (starting.IsCompletedSuccessfully)
            await (await starting.ConfigureAwait(false)).StopAsync().ConfigureAwait(false);
    }

    internal static IReadOnlyDictionary<string, string> QuickConsumer(bool isEmbedded) => new Dictionary<string, string>
    {
        ["session.timeout.ms"] = isEmbedded ? $"{EmbeddedBroker.ShortestSession.TotalMilliseconds:0}" : "6000",
        ["heartbeat.interval.ms"] = isEmbedded ? "300" : "2000",
        ["socket.timeout.ms"] = "5000",
    };

    /// <summary>Ends the producer, then the broker, if it was started here.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        if (_producer.IsValueCreated)
            await _producer.Value.DisposeAsync().ConfigureAwait(false);
        await Broker.DisposeAsync().ConfigureAwait(false);
        if (_stop is not null)
            await _stop().ConfigureAwait(false);
    }
}
