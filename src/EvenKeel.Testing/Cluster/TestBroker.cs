namespace EvenKeel.Testing.Cluster;

/// <summary>The broker of a test run: the real one that the environment names, or else an embedded one.</summary>
public static class TestBroker
{
    /// <summary>The environment variable with a real cluster's address.</summary>
    public const string AddressVariable = "EVENKEEL_BOOTSTRAP_SERVERS";

    /// <summary>The real cluster's address; null if none is named.</summary>
    public static string? ExternalAddress =>
        Environment.GetEnvironmentVariable(AddressVariable) is { Length: > 0 } address ? address : null;

    /// <summary>Starts an embedded broker, or connects to the real one named in <see cref="AddressVariable"/>.</summary>
    /// <param name="options">For the embedded one; a real cluster is as it is.</param>
    public static IBroker Start(EmbeddedBrokerOptions? options = null) =>
        ExternalAddress is { } address ? Connect(address) : EmbeddedBroker.Start(options);

    /// <summary>The real cluster at an address.</summary>
    /// <param name="bootstrapServers"><c>host:port</c>, several joined by commas.</param>
    public static IBroker Connect(string bootstrapServers)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(bootstrapServers);
        return new ExternalBroker(bootstrapServers);
    }
}
