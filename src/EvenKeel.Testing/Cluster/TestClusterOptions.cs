namespace EvenKeel.Testing.Cluster;

/// <summary>Which broker a run uses: the one in <see cref="TestBroker.AddressVariable"/>, else a started one, else an embedded.</summary>
public sealed record TestClusterOptions
{
    /// <summary>Starts a real broker when the environment names none; a container, a script. Default null: the embedded broker.</summary>
    public Func<CancellationToken, Task<StartedBroker>>? Start { get; init; }

    /// <summary>Uses <see cref="Start"/> or the embedded broker also where the environment names a real one. Default false.</summary>
    public bool IgnoresEnvironment { get; init; }

    /// <summary>How the embedded one is made.</summary>
    public EmbeddedBrokerOptions Embedded { get; init; } = new();

    /// <summary>The longest that <see cref="Start"/> may take. Default 2 minutes: an image may have to be loaded.</summary>
    public TimeSpan StartLimit { get; init; } = TimeSpan.FromMinutes(2);
}

/// <summary>A real broker that a test run has started.</summary>
/// <param name="BootstrapServers"><c>host:port</c>, several joined by commas.</param>
/// <param name="StopAsync">Ends it; called once, at the end of the run.</param>
public sealed record StartedBroker(string BootstrapServers, Func<ValueTask> StopAsync);
