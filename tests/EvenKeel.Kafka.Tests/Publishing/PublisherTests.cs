using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Publishing.ScriptedProducer;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>One publication: what its outcome is, and what is recorded, when each side does its work or fails.</summary>
public sealed class PublisherTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task An_event_is_recorded_published_under_its_id_and_marked(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("events");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = new ReliableProducer(Producers.Options(broker));
        var publisher = new EventPublisher(repository, producer);
        var events = Enumerable.Range(0, 20).Select(i => OutgoingEvent.Of(topic, $"key {i % 3}", $"{i}")).ToList();

        foreach (var outgoing in events)
        {
            var outcome = await publisher.PublishAsync(outgoing, Cancellation);
            Assert.Equal((outgoing.Id, PublishStatus.Published, true), (outcome.EventId, outcome.Status, outcome.IsMarked));
            Assert.True(outcome.Delivery.IsDelivered);
        }

        var read = await Producers.ReadAsync(broker, topic, 2, 20);
        foreach (var key in read.GroupBy(record => record.Key))
            Assert.Equal(key.Select(record => int.Parse(record.Value)).Order(), key.Select(record => int.Parse(record.Value)));
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
        Assert.Equal((20, 20), (publisher.Counters.Recorded, publisher.Counters.Published));
        Assert.Equal(0, publisher.Lanes);
    }

    [Fact]
    public async Task When_the_repository_is_down_the_caller_gets_its_error_and_nothing_is_published()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(
            new BrittleRepository(repository) { BeforeRecord = _ => BrittleRepository.Fail() }, producer);

        await Assert.ThrowsAsync<EventRepositoryException>(() => publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "value"), Cancellation));

        Assert.Empty(producer.Sent);
        Assert.Equal((0, 1), (publisher.Counters.Recorded, publisher.Counters.RecordsFailed));
        Assert.Equal(0, publisher.Lanes);
    }

    [Fact]
    public async Task What_can_never_be_sent_is_the_callers_error_and_not_recorded()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(repository, producer);
        var outgoing = OutgoingEvent.Of("topic", "key", "value");

        await Assert.ThrowsAnyAsync<ArgumentException>(() => publisher.PublishAsync(outgoing with { Topic = " " }, Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(
            () => publisher.PublishAsync(outgoing with { Headers = [RecordHeader.Of("a\0b", "")] }, Cancellation));
        var reserved = await Assert.ThrowsAsync<ArgumentException>(
            () => publisher.PublishAsync(outgoing with { Headers = [RecordHeader.Of("event-id", "mine")] }, Cancellation));

        Assert.Contains("Id", reserved.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
        Assert.Empty(producer.Sent);
    }

    [Fact]
    public async Task An_event_that_Kafka_refuses_for_good_is_kept_with_the_reason_and_not_swept()
    {
        using var folder = new EventFolder();
        await using var producer = Always(RefusedForGood);
        var notices = new List<EventNotice>();
        await using (var repository = folder.Open())
        {
            var publisher = new EventPublisher(repository, producer);
            publisher.Noticed += (_, notice) => notices.Add(notice);

            var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "value"), Cancellation);

            Assert.Equal((PublishStatus.Refused, true), (outcome.Status, outcome.IsMarked));
            Assert.Contains("larger than the broker takes", outcome.Reason, StringComparison.Ordinal);
            Assert.Equal(EventNoticeKind.Refused, Assert.Single(notices).Kind);
            Assert.Equal((0, 1), (publisher.Counters.Held, publisher.Counters.Refused));
        }

        await using var reopened = folder.Open();
        Assert.Equal(new EventBacklog(0, 1, 0), await reopened.CountAsync(Cancellation));
        Assert.Equal(0, (await new EventSweeper(new EventPublisher(reopened, producer)).SweepAsync(Cancellation)).Claimed);
        Assert.Single(producer.Sent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_event_that_is_refused_for_now_or_unknown_is_held_and_the_sweeper_publishes_it(bool refused)
    {
        using var folder = new EventFolder();
        var time = new ManualTime();
        await using var repository = folder.Open(time);
        var first = true;
        await using var producer = Always(() =>
        {
            if (!first)
                return Delivered();
            first = false;
            return refused ? RefusedForNow() : DeliveryOutcome.Unknown(KafkaErrorCode.MessageTimedOut, "not answered");
        });
        var publisher = new EventPublisher(repository, producer);
        var sweeper = new EventSweeper(publisher);

        var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", null, "value"), Cancellation);

        Assert.Equal((PublishStatus.Held, false), (outcome.Status, outcome.IsMarked));
        Assert.NotNull(outcome.Reason);
        Assert.Equal(0, (await sweeper.SweepAsync(Cancellation)).Claimed); // Not before the pause.
        time.Advance(publisher.Options.RetryPause + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(1, 1), await sweeper.SweepAsync(Cancellation));
        Assert.Equal(2, producer.Sent.Count);
        Assert.Single(producer.Sent.Select(record => (record.EventId, record.TimestampMs)).Distinct());
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
    }

    [Fact]
    public async Task A_mark_that_fails_after_delivery_is_counted_and_makes_one_duplicate_with_the_same_id()
    {
        using var folder = new EventFolder();
        var time = new ManualTime();
        await using var repository = folder.Open(time);
        var brittle = new BrittleRepository(repository) { BeforeMark = _ => BrittleRepository.Fail() };
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(brittle, producer);
        var notices = new List<EventNotice>();
        publisher.Noticed += (_, notice) => notices.Add(notice);

        var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "value"), Cancellation);

        Assert.Equal((PublishStatus.Published, false), (outcome.Status, outcome.IsMarked));
        Assert.Equal((1, 1), (publisher.Counters.MarksFailed, publisher.Counters.DuplicatesOwed));
        Assert.Equal(EventNoticeKind.MarkFailed, Assert.Single(notices).Kind);
        brittle.BeforeMark = null;
        time.Advance(folder.Options.ClaimFor + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(1, 1), await new EventSweeper(publisher).SweepAsync(Cancellation));
        Assert.Equal(2, producer.Sent.Count);
        Assert.Single(producer.Sent.Select(record => record.EventId).Distinct());
        Assert.Equal(0, (await new EventSweeper(publisher).SweepAsync(Cancellation)).Claimed);
    }

    [Fact]
    public async Task A_spilled_event_is_the_spills_from_then_on()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = Always(() => DeliveryOutcome.Spilled("the broker is away"));
        var publisher = new EventPublisher(repository, producer);

        var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "value"), Cancellation);

        Assert.Equal((PublishStatus.Spilled, true), (outcome.Status, outcome.IsMarked));
        Assert.Equal((1, 0), (publisher.Counters.Spilled, publisher.Counters.Published));
        Assert.Equal(0, (await repository.CountAsync(Cancellation)).Unsettled);
    }

    [Fact]
    public async Task A_producer_that_throws_or_never_answers_leaves_the_event_held()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = new ScriptedProducer(record => record.Value switch
        {
            "throws" => throw new InvalidOperationException("a defect"),
            "nothing" => Task.FromResult(default(DeliveryOutcome)),
            _ => new TaskCompletionSource<DeliveryOutcome>().Task,
        });
        var publisher = new EventPublisher(repository, producer, new() { SendLimit = TimeSpan.FromMilliseconds(50) });
        var notices = new List<EventNotice>();
        publisher.Noticed += (_, notice) =>
        {
            notices.Add(notice);
            throw new InvalidOperationException("a handler that throws");
        };

        foreach (var value in new[] { "throws", "nothing", "silent" })
        {
            var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", null, value), Cancellation).WaitAsync(Deadline, Cancellation);
            Assert.Equal((PublishStatus.Held, DeliveryStatus.Unknown), (outcome.Status, outcome.Delivery.Status));
        }

        Assert.Equal(3, (await repository.CountAsync(Cancellation)).Unsettled);
        Assert.Equal([EventNoticeKind.ProducerFailed, EventNoticeKind.ProducerFailed], notices.Select(notice => notice.Kind));
        Assert.Equal(2, publisher.Counters.ThrownByUsers);
    }

    [Fact]
    public async Task Cancelling_before_the_recording_throws_and_after_it_holds_the_event()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        using var cancel = new CancellationTokenSource();
        await using var producer = new ScriptedProducer(async record =>
        {
            await cancel.CancelAsync();
            await Task.Delay(Timeout.Infinite, record.Room);
            return Delivered();
        });
        var publisher = new EventPublisher(repository, producer);

        var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "value"), cancel.Token).WaitAsync(Deadline, Cancellation);

        Assert.Equal(PublishStatus.Held, outcome.Status);
        Assert.Equal(1, (await repository.CountAsync(Cancellation)).Unsettled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "value"), cancel.Token));
        Assert.Equal(1, (await repository.CountAsync(Cancellation)).Unsettled);
    }

    [Fact]
    public async Task A_tombstone_stays_one_on_its_way()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = Always(Delivered);

        await new EventPublisher(repository, producer).PublishAsync(OutgoingEvent.Of("topic", "key", null), Cancellation);

        Assert.Null(Assert.Single(producer.Sent).Value);
    }

    [Fact]
    public void Options_name_every_violation_at_once()
    {
        using var folder = new EventFolder();
        var options = new EventPublisherOptions
        {
            SendLimit = TimeSpan.Zero,
            RetryPause = TimeSpan.FromDays(2),
            SweepPause = TimeSpan.Zero,
            TidyPause = TimeSpan.Zero,
            StopLimit = TimeSpan.FromSeconds(-1),
            SweepEvents = 0,
        };

        Assert.Equal(6, options.Validate().Count);
        Assert.Empty(new EventPublisherOptions().Validate());
        Assert.Empty(folder.Options.Validate());
        Assert.Equal(
            4, (folder.Options with { MaxBytes = 1, MaxUnsettled = 0, MaxRefusedBytes = 0, ClaimFor = TimeSpan.Zero }).Validate().Count);
    }
}
