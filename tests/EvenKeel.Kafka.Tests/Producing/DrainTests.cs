using System.Collections.Concurrent;
using System.Diagnostics;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

public sealed class DrainTests
{
    private const string LongVariable = "EVENKEEL_LONG_TESTS";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Every_send_has_an_outcome_when_eight_threads_send_while_another_disposes(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("race");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        var rounds = Environment.GetEnvironmentVariable(LongVariable) is { Length: > 0 } ? 1000 : 50;
        for (var round = 0; round < rounds; round++)
        {
            // Every second round purges at once.
            var limits = round % 2 == 0 ? new DrainLimits() : new DrainLimits { Flush = TimeSpan.Zero, Stragglers = TimeSpan.Zero };
            var producer = new ReliableProducer(Options(broker) with { MaxRecords = 200, Drain = limits });
            await producer.WarmUpAsync([topic], Deadline, Cancellation);
            using var underway = new CountdownEvent(8);
            var senders = Enumerable.Range(0, 8).Select(_ => Task.Run(
                () =>
                {
                    underway.Signal();
                    return All(Enumerable.Range(0, 400).Select(i => producer.Send(topic, "key", $"{i}")));
                },
                Cancellation)).ToArray();
            underway.Wait(Cancellation);

            await producer.DisposeAsync();

            var outcomes = (await Task.WhenAll(senders)).SelectMany(of => of).ToList();
            Assert.Equal(3200, outcomes.Count);
            Assert.All(outcomes, outcome => Assert.NotEqual(DeliveryStatus.None, outcome.Status));
            Assert.All(
                outcomes.Where(outcome => !outcome.IsDelivered && round % 2 == 0),
                outcome => Assert.Equal((DeliveryStatus.Refused, KafkaErrorCode.ClientDestroyed), (outcome.Status, outcome.Error)));
            Assert.Equal(producer.Counters.Delivered, outcomes.Count(outcome => outcome.IsDelivered));
        }
    }

    [Fact]
    public async Task A_drain_with_the_broker_away_gives_every_record_its_outcome_within_a_second_of_its_deadline()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("away", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecords = 900, Drain = Short });
        await producer.WarmUpAsync(["away"], Deadline, Cancellation);
        broker.Faults.TakeDown();
        RecordHeader[] headers = [RecordHeader.Of("id", "7")];
        var sends = Enumerable.Range(0, 1000).Select(i => producer.Send("away", "key", $"{i}", headers)).ToArray();
        var start = Stopwatch.GetTimestamp();

        var report = await producer.DrainAsync(keepLeftovers: true, cancellationToken: Cancellation);

        Assert.InRange(Since(start), Short.Flush, Short.Flush + Short.Stragglers + TimeSpan.FromSeconds(1));
        var outcomes = await All(sends, TimeSpan.FromSeconds(1));
        Assert.Equal((0, 1000), (report.Delivered, report.Refused + report.Unknown));
        Assert.Equal(report.Refused, outcomes.Count(outcome => outcome is { Status: DeliveryStatus.Refused, Retry: RetryAdvice.Later }));
        Assert.Equal(1000, report.Leftovers.Count);
        Assert.Equal(
            Enumerable.Range(0, 1000),
            report.Leftovers.Select(left => int.Parse(System.Text.Encoding.UTF8.GetString(left.Value!.Value.Span))).Order());
        Assert.All(report.Leftovers, left => Assert.Equal(
            ("away", "key", "id"), (left.Topic, System.Text.Encoding.UTF8.GetString(left.Key.Span), Assert.Single(left.Headers).Name)));
        Assert.Same(report, await producer.DrainAsync(cancellationToken: Cancellation));
    }

    [Fact]
    public async Task Only_records_in_flight_are_unknown()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("flight", 1, Cancellation);
        await using var producer = new ReliableProducer(
            Options(broker) with
            {
                BatchRecords = 10,
                Drain = Short,
                Properties = new Dictionary<string, string> { ["max.in.flight.requests.per.connection"] = "1" },
            });
        Assert.True((await producer.Send("flight", null, "warm")).IsDelivered);
        broker.Faults.SetRoundTripTime(TimeSpan.FromMinutes(5));
        broker.Faults.StartRecording();
        var sends = Enumerable.Range(0, 1000).Select(i => producer.Send("flight", "key", $"{i}")).ToArray();
        await Until(() => broker.Faults.Requests().Any(request => request.Api == KafkaApi.Produce), () => "no produce request came");

        var report = await producer.DrainAsync(cancellationToken: Cancellation);

        var outcomes = await All(sends);
        Assert.InRange(report.Unknown, 1, 10);
        Assert.Equal(1000 - report.Unknown, report.Refused);
        Assert.All(outcomes[(int)report.Unknown..], outcome => Assert.Equal(KafkaErrorCode.PurgedInQueue, outcome.Error));
        Assert.Empty(report.Leftovers);
    }

    [Fact]
    public async Task A_drain_ends_as_soon_as_nothing_is_left_and_sends_what_lingers()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("early", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { Linger = TimeSpan.FromSeconds(30) });
        await producer.WarmUpAsync(["early"], Deadline, Cancellation);
        var sends = Enumerable.Range(0, 100).Select(i => producer.Send("early", null, $"{i}")).ToArray();

        var report = await producer.DrainAsync(cancellationToken: Cancellation);

        Assert.Equal((100, true), (report.Delivered, report.IsClean));
        Assert.InRange(report.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.All(await All(sends), outcome => Assert.True(outcome.IsDelivered));
        Assert.Equal(KafkaErrorCode.ClientDestroyed, (await producer.Send("early", null, "late")).Error);
        Assert.True(producer.TrySend(new OutgoingRecord("early", default, default), out var late));
        Assert.Equal(DeliveryStatus.Refused, (await late).Status);
    }

    [Fact]
    public async Task A_cancelled_drain_purges_at_once()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new ReliableProducer(Options(broker));
        var send = producer.Send("hurry", null, "value");
        using var hurry = new CancellationTokenSource();
        var drain = producer.DrainAsync(cancellationToken: hurry.Token);
        Assert.False(drain.IsCompleted);

        await hurry.CancelAsync();

        Assert.Equal(1, (await drain.WaitAsync(TimeSpan.FromSeconds(5), Cancellation)).Refused);
        Assert.Equal(DeliveryStatus.Refused, (await send).Status);
    }

    [Fact]
    public async Task Two_hundred_producers_are_created_and_disposed_of_at_once_one_creation_at_a_time()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("crowd", 1, Cancellation);
        var (before, left) = (CreationGate.Created, 200);
        var waited = new ConcurrentBag<TimeSpan>();
        var (outcomes, disposals) = (new ConcurrentBag<Task<DeliveryOutcome>>(), new ConcurrentBag<Task>());

        await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Factory.StartNew(
            () =>
            {
                while (Interlocked.Decrement(ref left) >= 0)
                {
                    var producer = new ReliableProducer(Options(broker) with { Drain = Short });
                    waited.Add(producer.CreationWaited);
                    outcomes.Add(producer.Send("crowd", null, "value"));
                    disposals.Add(producer.DisposeAsync().AsTask());
                }
            },
            Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        await Task.WhenAll(disposals).WaitAsync(TimeSpan.FromMinutes(2), Cancellation);

        Assert.Equal((200, 1), (waited.Count, CreationGate.MostInside));
        Assert.True(CreationGate.Created >= before + 200);
        Assert.Contains(waited, time => time > TimeSpan.Zero);
        Assert.All(await All(outcomes, TimeSpan.FromSeconds(1)), outcome => Assert.NotEqual(DeliveryStatus.None, outcome.Status));
    }
}
