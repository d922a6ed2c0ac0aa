using System.Collections.Concurrent;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Workers;
using Xunit;

namespace EvenKeel.Testing.Tests.Workers;

/// <summary>A run for one test, with leases of its own, so that the run of these very tests does not stand in its way.</summary>
internal sealed class Runs : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("evenkeel-leases-");

    public ConcurrentQueue<string> Told { get; } = new();

    public string Folder => _folder.FullName;

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The broker of a kind: an embedded one, although the environment may name a real one, or that.</summary>
    public TestRunOptions Options(string kind = BrokerKinds.Embedded)
    {
        Assert.SkipWhen(
            kind == BrokerKinds.Real && TestBroker.ExternalAddress is null,
            $"No real broker: {TestBroker.AddressVariable} is not set to its host:port.");
        return new TestRunOptions
        {
            LeaseDirectory = Folder,
            Diagnostics = Told.Enqueue,
            Cluster = new TestClusterOptions { IgnoresEnvironment = kind == BrokerKinds.Embedded },
        };
    }

    public TestRun Start(string kind = BrokerKinds.Embedded) => new(Options(kind));

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}
