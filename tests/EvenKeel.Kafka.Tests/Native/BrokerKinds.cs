using EvenKeel.Testing.Cluster;
using Xunit;

namespace EvenKeel.Kafka.Tests.Native;

/// <summary>The brokers that a test runs on: always the embedded one, and the real one where the environment names it.</summary>
internal static class BrokerKinds
{
    public const string Embedded = "embedded";
    public const string Real = "real";

    public static IBroker Start(string kind, EmbeddedBrokerOptions? options = null)
    {
        if (kind == Embedded)
            return EmbeddedBroker.Start(options);
        Assert.SkipWhen(
            TestBroker.ExternalAddress is null, $"No real broker: {TestBroker.AddressVariable} is not set to its host:port.");
        return TestBroker.Connect(TestBroker.ExternalAddress!);
    }
}
