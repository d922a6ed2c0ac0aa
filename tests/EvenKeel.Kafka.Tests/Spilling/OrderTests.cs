using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;
using static EvenKeel.Kafka.Tests.Spilling.Spills;

namespace EvenKeel.Kafka.Tests.Spilling;

public sealed class OrderTests : IDisposable
{
    private static readonly TimeSpan Forever = TimeSpan.FromMinutes(5);
    private readonly Spills _spills = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _spills.Dispose();

    [Fact]
    public async Task A_key_in_the_spill_goes_on_through_it_while_another_key_goes_straight()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("keys", 1, Cancellation);

        // Longer than a new client takes to connect on a busy machine: what goes straight is to be delivered, not spilled for its age.
        await using var producer = new SpillingProducer(
            Client(broker), _spills.Options(SpillAcknowledgement.Disk) with { SpillAfter = TimeSpan.FromSeconds(5) });
        var sent = Enumerable.Range(0, 12_000).Select(i => ("slow", $"{i}")).ToList();
        broker.Faults.TakeDown();
        await All(sent.Select(record => Send(producer, "keys", record.Item1, record.Item2)));
        broker.Faults.SetRoundTripTime(TimeSpan.FromMilliseconds(60));
        broker.Faults.BringUp();
        await UntilState(producer, SpillState.Replaying);

        // Both ways are chosen at once: a wait for the disk in between could be longer than the replay.
        var (throughSpill, throughClient) = (Send(producer, "keys", "slow", "last"), Send(producer, "keys", "quick", "one"));
        var (through, straight) = (await throughSpill, await throughClient);

        Assert.Equal((DeliveryStatus.Spilled, DeliveryStatus.Delivered), (through.Status, straight.Status));
        Assert.Equal(1, producer.Counters.Direct);
        await UntilState(producer, SpillState.Direct);
        AssertHistory(await ReadIdsAsync(broker, "keys", 1, 12_002), [.. sent, ("slow", "last"), ("quick", "one")]);
    }

    [Fact]
    public async Task What_comes_back_from_the_client_goes_before_what_met_the_memory_bound_behind_it()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("bound", 1, Cancellation);
        await using var producer = new SpillingProducer(Client(broker) with { MaxRecords = 10 }, _spills.Options());
        await Send(producer, "bound", "key", "first");

        // Ten wait in the client and are never sent from there; the others meet the bound behind them.
        broker.Faults.TakeDown();
        var sent = Enumerable.Range(0, 300).Select(i => ("key", $"{i}")).ToList();
        var sends = sent.Select(record => Send(producer, "bound", record.Item1, record.Item2)).ToList();
        await Until(() => producer.Counters.Takeovers > 0 && producer.Counters.SpillRecords == 300, () => $"{producer.Counters}");
        broker.Faults.BringUp();

        Assert.All(await All(sends), outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
        AssertHistory(await ReadIdsAsync(broker, "bound", 1, 301), [("key", "first"), .. sent]);
    }

    [Fact]
    public async Task A_record_whose_outcome_is_unknown_is_spilled_and_sent_again_under_its_id()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("unknown", 1, Cancellation);
        var client = Client(broker);

        // A metadata request that waits for its answer would hold up the record: after the first one none comes.
        await using var producer = new SpillingProducer(
            client with
            {
                Properties = new Dictionary<string, string>(client.Properties) { ["topic.metadata.refresh.interval.ms"] = "-1" },
            },
            _spills.Options());
        await producer.WarmUpAsync(["unknown"], Deadline, Cancellation);
        await Send(producer, "unknown", "key", "first");
        broker.Faults.SetRoundTripTime(Forever);
        broker.Faults.StartRecording();
        var unknown = Send(producer, "unknown", "key", "second");
        await Until(() => broker.Faults.Requests().Any(request => request.Api == KafkaApi.Produce), () => "no produce request came");

        await Until(() => producer.Counters.Spilled == 1, () => $"{producer.Counters}");
        broker.Faults.TakeDown();
        broker.Faults.SetRoundTripTime(TimeSpan.Zero);
        broker.Faults.BringUp();

        Assert.True((await unknown.WaitAsync(Deadline, Cancellation)).IsDelivered);
        Assert.True((await Send(producer, "unknown", "key", "third")).IsDelivered);
        var seen = await ReadIdsAsync(broker, "unknown", 1, 3);
        AssertHistory(seen, [("key", "first"), ("key", "second"), ("key", "third")]);
        Assert.Equal(2, seen.Count(record => record.Value == "second"));
    }

    [Fact]
    public async Task Under_steady_load_of_the_spilled_keys_the_spill_gives_way_to_the_straight_path()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("steady", 2, Cancellation);
        await using var producer = new SpillingProducer(Client(broker), _spills.Options() with { SpillAfter = TimeSpan.FromSeconds(1) });

        // A replay takes longer than the next records do to come: the spill never empties by itself.
        broker.Faults.SetRoundTripTime(TimeSpan.FromMilliseconds(30));
        var sent = new List<(string, string)>();
        var sends = new Queue<Task<DeliveryOutcome>>();
        for (var round = 0; round < 3; round++)
        {
            broker.Faults.TakeDown();
            await LoadUntil(() => producer.State == SpillState.Spilling && producer.Counters.SpillRecords > 200);
            broker.Faults.BringUp();
            await LoadUntil(() => producer.State == SpillState.Direct);
        }

        Assert.All(await All(sends), outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
        AssertHistory(await ReadIdsAsync(broker, "steady", 2, sent.Count), sent);

        // A load that never stops: 20 records every tick, so that there is always one on its way.
        async Task LoadUntil(Func<bool> condition)
        {
            await Until(
                () =>
                {
                    for (var i = 0; i < 20; i++)
                    {
                        sent.Add(($"key-{sent.Count % 3}", $"{sent.Count}"));
                        sends.Enqueue(Send(producer, "steady", sent[^1].Item1, sent[^1].Item2));
                    }
                    return condition();
                },
                () => $"{producer.State} {producer.Counters}");
        }
    }
}
