using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Publishing.ScriptedProducer;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>The sweeper: what it takes up, what it leaves alone, and what a crash between any two steps leaves for it.</summary>
public sealed class SweeperTests
{
    private static readonly EventPublisherOptions Quick = new()
    {
        SweepPause = TimeSpan.FromMilliseconds(1),
        RetryPause = TimeSpan.FromMilliseconds(1),
        TidyPause = TimeSpan.FromMilliseconds(1),
        StopLimit = TimeSpan.FromMilliseconds(50),
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_that_its_publisher_is_sending_is_left_alone_until_the_claim_is_over()
    {
        using var folder = new EventFolder();
        var time = new ManualTime();
        await using var repository = folder.Open(time);
        var answer = new TaskCompletionSource<DeliveryOutcome>();
        await using var producer = new ScriptedProducer(_ => answer.Task);
        await using var sweeping = Always(Delivered);
        var publisher = new EventPublisher(repository, producer);
        var sweeper = new EventSweeper(new EventPublisher(repository, sweeping));
        var published = publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "slow"), Cancellation);
        await Until(() => producer.Sent.Count == 1, () => "not sent");

        Assert.Equal(0, (await sweeper.SweepAsync(Cancellation)).Claimed);
        time.Advance(folder.Options.ClaimFor + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(1, 1), await sweeper.SweepAsync(Cancellation));
        answer.SetResult(Delivered());

        Assert.Equal(PublishStatus.Published, (await published.WaitAsync(Deadline, Cancellation)).Status);
        Assert.Equal(producer.Sent.Single().EventId, sweeping.Sent.Single().EventId);
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
    }

    [Fact]
    public async Task A_kill_between_any_two_steps_publishes_the_event_at_least_once_and_always_under_its_id()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        var kills = new List<(string When, string Copy, int Due, bool Sent)>();
        var brittle = new BrittleRepository(repository);
        await using var producer = new ScriptedProducer(_ =>
        {
            Kill("recorded, not sent", due: 1, sent: false);
            return Task.FromResult(Delivered());
        });
        brittle.BeforeRecord = _ => Kill("not recorded", due: 0, sent: false);
        brittle.BeforeMark = _ => Kill("sent, not marked", due: 1, sent: true);
        var outgoing = OutgoingEvent.Of("topic", "key", "value");

        var outcome = await new EventPublisher(brittle, producer).PublishAsync(outgoing, Cancellation);
        await Kill("marked", due: 0, sent: true);

        Assert.Equal(PublishStatus.Published, outcome.Status);
        Assert.Equal(4, kills.Count);
        foreach (var (when, copy, due, sent) in kills)
        {
            await using var reopened = DiskEventRepository.Open(folder.Options with { Directory = copy });
            await using var after = Always(Delivered);
            var report = await new EventSweeper(new EventPublisher(reopened, after)).SweepAsync(Cancellation);
            Assert.True(report == new SweepReport(due, due), $"killed when {when}: {report}");
            Assert.All(after.Sent, record => Assert.Equal(outgoing.Id.ToString(), record.EventId));
            Assert.True(sent || when == "not recorded" || after.Sent.Count == 1, $"killed when {when}: {after.Sent.Count} sent");
            Assert.Equal(0, (await reopened.CountAsync(Cancellation)).Unsettled);
        }

        Task Kill(string when, int due, bool sent)
        {
            kills.Add((when, folder.Copy(), due, sent));
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task The_loop_outlives_a_failing_repository_tells_it_and_goes_on()
    {
        using var folder = new EventFolder();
        await using (var earlier = folder.Open())
        {
            for (var i = 0; i < 20; i++)
                await earlier.RecordAsync(OutgoingEvent.Of("topic", $"key {i % 4}", $"{i}"), Cancellation);
        }
        await using var repository = folder.Open();
        var brittle = new BrittleRepository(repository) { BeforeSweep = BrittleRepository.Fail };
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(brittle, producer, Quick with { SweepEvents = 3 });
        var notices = 0;
        publisher.Noticed += (_, notice) => Interlocked.Add(ref notices, notice.Kind == EventNoticeKind.SweepFailed ? 1 : 0);
        using var stop = new CancellationTokenSource();

        var loop = new EventSweeper(publisher).RunAsync(stop.Token);
        await Until(() => Volatile.Read(ref notices) >= 2, () => $"{notices} notices");
        brittle.BeforeSweep = null;
        await Until(() => publisher.Counters.Published == 20, () => $"{publisher.Counters}");
        await stop.CancelAsync();
        await loop.WaitAsync(Deadline, Cancellation);

        Assert.True(publisher.Counters.SweepsFailed >= 2);
        Assert.Equal(20, publisher.Counters.Swept);
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_an_answer_that_does_not_come_and_the_event_is_due_again()
    {
        using var folder = new EventFolder();
        await using (var earlier = folder.Open())
            await earlier.RecordAsync(OutgoingEvent.Of("topic", "key", "value"), Cancellation);
        await using var repository = folder.Open();
        await using var producer = new ScriptedProducer(_ => new TaskCompletionSource<DeliveryOutcome>().Task);
        var publisher = new EventPublisher(repository, producer, Quick);
        using var stop = new CancellationTokenSource();

        var loop = new EventSweeper(publisher).RunAsync(stop.Token);
        await Until(() => producer.Sent.Count == 1, () => "not sent");
        await stop.CancelAsync();
        await loop.WaitAsync(Deadline, Cancellation);

        Assert.Equal(1, (await repository.CountAsync(Cancellation)).Unsettled);
        Assert.Equal(0, publisher.Counters.MarksFailed);
        await using var answers = Always(Delivered);
        await repository.DisposeAsync();
        await using var reopened = folder.Open();
        Assert.Equal(new SweepReport(1, 1), await new EventSweeper(new EventPublisher(reopened, answers)).SweepAsync(Cancellation));
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task What_a_missing_broker_left_is_published_in_order_when_it_is_there(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("outage");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using (var away = new ReliableProducer(new ProducerOptions
        {
            BootstrapServers = "127.0.0.1:1",
            DeliveryTimeout = TimeSpan.FromMilliseconds(300),
            Linger = TimeSpan.Zero,
            Drain = Producers.Short,
        }))
        {
            var offline = new EventPublisher(repository, away, Quick);
            var outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(
                i => offline.PublishAsync(OutgoingEvent.Of(topic, $"key {i % 4}", $"{i}"), Cancellation)));
            Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Held, outcome.Status));
        }

        await using var producer = new ReliableProducer(Producers.Options(broker));
        var publisher = new EventPublisher(repository, producer, Quick);
        using var stop = new CancellationTokenSource();
        var loop = new EventSweeper(publisher).RunAsync(stop.Token);
        var read = await Producers.ReadAsync(broker, topic, 2, 40);
        await Until(() => publisher.Counters.Published == 40, () => $"{publisher.Counters}");
        await stop.CancelAsync();
        await loop.WaitAsync(Deadline, Cancellation);

        foreach (var key in read.GroupBy(record => record.Key))
            Assert.Equal(Enumerable.Range(0, 10).Select(i => i * 4 + int.Parse(key.Key[4..])), key.Select(record => int.Parse(record.Value)));
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
    }
}
