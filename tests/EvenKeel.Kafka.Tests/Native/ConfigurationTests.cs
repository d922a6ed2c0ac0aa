using EvenKeel.Kafka.Native;
using Xunit;

namespace EvenKeel.Kafka.Tests.Native;

public sealed class ConfigurationTests
{
    [Fact]
    public void A_setting_is_read_back_and_listed_with_the_defaults()
    {
        using var configuration = new ClientConfiguration().Set("linger.ms", "17");

        Assert.Equal("17", configuration.Get("linger.ms"));
        Assert.Contains(
            configuration.Dump(),
            pair => pair is { Key: "linger.ms", Value: "17" } or { Key: "queue.buffering.max.ms", Value: "17" });
        Assert.Contains(configuration.Dump(), pair => pair is { Key: "message.max.bytes", Value: "1000000" });
    }

    [Fact]
    public void An_unknown_name_is_refused_in_librdkafkas_words()
    {
        using var configuration = new ClientConfiguration();

        var refusal = Assert.Throws<KafkaException>(() => configuration.Set("linger.msec", "1"));

        Assert.Equal(KafkaErrorCode.NotFound, refusal.Code);
        Assert.Contains("No such configuration property: \"linger.msec\"", refusal.Message, StringComparison.Ordinal);
        Assert.Null(configuration.Get("linger.msec"));
    }

    [Fact]
    public void A_value_outside_its_range_is_refused_in_librdkafkas_words()
    {
        using var configuration = new ClientConfiguration();

        var refusal = Assert.Throws<KafkaException>(() => configuration.Set("linger.ms", "-3"));

        Assert.Equal(KafkaErrorCode.InvalidArgument, refusal.Code);
        Assert.Contains("outside allowed range", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_copy_changes_on_its_own()
    {
        using var original = new ClientConfiguration().Set("linger.ms", "3");
        using var copy = original.Copy().Set("linger.ms", "4");

        Assert.Equal(("3", "4"), (original.Get("linger.ms"), copy.Get("linger.ms")));
    }

    [Fact]
    public void Settings_that_contradict_each_other_are_refused_at_creation_and_stay_the_callers()
    {
        using var configuration = new ClientConfiguration().Set("linger.ms", "5000").Set("message.timeout.ms", "1000");

        var refusal = Assert.Throws<KafkaException>(() => CreationGate.Create(ClientKind.Producer, configuration, EventKinds.None));

        Assert.Contains("message.timeout.ms", refusal.Message, StringComparison.Ordinal);
        Assert.Equal("1000", configuration.Get("message.timeout.ms"));
    }

    [Fact]
    public async Task Settings_belong_to_the_client_once_it_is_created()
    {
        using var configuration = new ClientConfiguration().Set("linger.ms", "9");

        await using var client = CreationGate.Create(ClientKind.Producer, configuration, EventKinds.None);

        Assert.Throws<ObjectDisposedException>(() => configuration.Get("linger.ms"));
        Assert.Equal("9", client.Setting("linger.ms"));
        Assert.Null(client.Setting("no.such.setting"));
    }

    [Theory]
    [InlineData(KafkaErrorCode.AllBrokersDown, "_ALL_BROKERS_DOWN: Local: All broker connections are down")]
    [InlineData(KafkaErrorCode.NotEnoughReplicas, "NOT_ENOUGH_REPLICAS: Broker: Not enough in-sync replicas")]
    [InlineData((KafkaErrorCode)64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: Broker: Delegation Token requests")]
    public void A_code_is_described_by_its_name_and_text(KafkaErrorCode code, string description) =>
        Assert.StartsWith(description, code.Describe(), StringComparison.Ordinal);
}
