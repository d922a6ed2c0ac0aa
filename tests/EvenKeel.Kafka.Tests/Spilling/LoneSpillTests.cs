using EvenKeel.Kafka.Spilling;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Spilling.Spills;

namespace EvenKeel.Kafka.Tests.Spilling;

public sealed class LoneSpillTests : IDisposable
{
    private readonly Spills _spills = new();

    public void Dispose() => _spills.Dispose();

    [Fact]
    public async Task Sends_one_by_one_with_the_send_loop_asleep_go_straight_and_the_stop_ends()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("lone", 1, TestContext.Current.CancellationToken);

        // Disposed of by its drain below: where this breaks, so does the end, and the test would hang.
        var producer = _spills.Producer(broker);
        for (var i = 0; i < 20; i++)
            Assert.True((await Send(producer, "lone", "key", $"{i}").WaitAsync(Deadline, TestContext.Current.CancellationToken)).IsDelivered);

        Assert.Equal((SpillState.Direct, 20, 0), (producer.State, producer.Counters.Direct, producer.Counters.Spilled));
        var drained = await producer.DrainAsync(TestContext.Current.CancellationToken).WaitAsync(Deadline, TestContext.Current.CancellationToken);
        Assert.Equal((0, 0, 0), (drained.Refused, drained.Unknown, drained.LeftInSpill));
        Assert.Equal(20, (await ReadIdsAsync(broker, "lone", 1, 20)).Count);
    }
}
