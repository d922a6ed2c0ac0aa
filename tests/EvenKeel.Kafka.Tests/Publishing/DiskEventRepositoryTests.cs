using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using EvenKeel.Queue;
using Xunit;
using static EvenKeel.Kafka.Tests.Publishing.ScriptedProducer;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>What the disk repository keeps, frees, refuses and reads back.</summary>
public sealed class DiskEventRepositoryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Several_sweepers_share_it_without_a_gap_a_double_or_a_wrong_order()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();

        await RepositoryContract.HoldsWithManyClaimers([repository, repository, repository], seed: 20261121);
    }

    [Fact]
    public async Task Claims_are_for_one_and_marks_of_a_lost_claim_release_nothing()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();

        await RepositoryContract.KeepsClaimsApart(repository);
    }

    [Fact]
    public async Task What_a_kill_leaves_is_read_back_as_it_was_recorded()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        OutgoingEvent[] events =
        [
            new("plain", new byte[] { 0, 255, 7 }, new byte[] { 1, 2, 3 }) { TimestampMs = 123 },
            new("tombstone", new byte[] { 1 }, null) { TimestampMs = 5 },
            new("empty", default, Array.Empty<byte>())
            {
                Headers = [new RecordHeader("none", null), RecordHeader.Of("tëxt", "välue")],
                TimestampMs = 6,
            },
        ];
        foreach (var outgoing in events)
            await repository.RecordAsync(outgoing, Cancellation);

        await using var reopened = folder.OpenAfterKill();

        var read = await reopened.ClaimDueAsync(10, Cancellation);
        Assert.Equal(events.Select(RepositoryContract.Text), read.OrderBy(found => found.Position).Select(found => RepositoryContract.Text(found.Event)));
    }

    [Fact]
    public async Task Disk_space_comes_back_and_stays_under_its_limit_however_many_events_pass()
    {
        using var folder = new EventFolder();
        var options = folder.Options with { SegmentBytes = 4096, MaxBytes = 64 << 10 };
        await using var repository = DiskEventRepository.Open(options);
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(repository, producer);
        var most = 0L;

        for (var i = 0; i < 1000; i++)
        {
            var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", $"key {i % 5}", new string('v', 200)), Cancellation);
            Assert.Equal(PublishStatus.Published, outcome.Status);
            most = Math.Max(most, repository.Bytes);
        }

        Assert.InRange(most, 1, options.MaxBytes + options.SegmentBytes);
        await repository.TidyAsync(Cancellation);
        Assert.InRange(repository.Bytes, 0, 2 * options.SegmentBytes);
    }

    [Fact]
    public async Task One_event_that_Kafka_does_not_take_stops_no_other_and_keeps_its_place_in_the_order()
    {
        using var folder = new EventFolder();
        var options = folder.Options with { SegmentBytes = 4096, MaxBytes = 64 << 10 };
        var time = new ManualTime();
        var stuck = true;
        await using var producer = new ScriptedProducer(
            record => Task.FromResult(stuck && record.Key == "stuck" ? RefusedForNow() : Delivered()));
        await using (var repository = DiskEventRepository.Open(options, time))
        {
            var publisher = new EventPublisher(repository, producer);
            await publisher.PublishAsync(OutgoingEvent.Of("topic", "stuck", "first"), Cancellation);
            for (var i = 0; i < 2000; i++)
            {
                var outcome = await publisher.PublishAsync(OutgoingEvent.Of("topic", $"key {i % 5}", new string('v', 200)), Cancellation);
                Assert.Equal(PublishStatus.Published, outcome.Status);
                if (i == 1000)
                    await publisher.PublishAsync(OutgoingEvent.Of("topic", "stuck", "second"), Cancellation);
                if (i % 20 == 0)
                    await repository.TidyAsync(Cancellation);
            }
            Assert.InRange(repository.Bytes, 0, options.MaxBytes);
        }

        await using var reopened = DiskEventRepository.Open(options, time);
        stuck = false;
        Assert.Equal(2, (await reopened.CountAsync(Cancellation)).Unsettled);
        Assert.Equal(new SweepReport(2, 2), await new EventSweeper(new EventPublisher(reopened, producer)).SweepAsync(Cancellation));
        Assert.Equal(["first", "second"], producer.Values.TakeLast(2));
    }

    [Fact]
    public async Task At_its_bounds_it_refuses_says_which_and_takes_events_again_when_there_is_room()
    {
        using var folder = new EventFolder();
        var options = folder.Options with { SegmentBytes = 4096, MaxBytes = 16 << 10, MaxUnsettled = 40 };
        await using var repository = DiskEventRepository.Open(options);
        var recorded = new List<RecordedEvent>();

        var full = await Assert.ThrowsAsync<EventRepositoryException>(() => RecordUntilRefused(new string('v', 1000)));
        Assert.Contains("full", full.Message, StringComparison.Ordinal);
        Assert.InRange(recorded.Count, 5, 39);
        await SettleAll();
        var many = await Assert.ThrowsAsync<EventRepositoryException>(() => RecordUntilRefused("v"));
        Assert.Contains("MaxUnsettled is 40", many.Message, StringComparison.Ordinal);
        Assert.Equal(40, recorded.Count);
        await SettleAll();
        await repository.RecordAsync(OutgoingEvent.Of("topic", null, "again"), Cancellation);
        Assert.Equal(1, (await repository.CountAsync(Cancellation)).Unsettled);

        async Task RecordUntilRefused(string value)
        {
            while (recorded.Count < 1000)
                recorded.Add(await repository.RecordAsync(OutgoingEvent.Of("topic", null, value), Cancellation));
        }

        async Task SettleAll()
        {
            foreach (var settled in recorded)
                await repository.MarkAsync([new EventMark(settled, EventFate.Delivered)], Cancellation);
            recorded.Clear();
        }
    }

    [Fact]
    public async Task A_refused_event_that_cannot_be_put_aside_stays_unsettled()
    {
        using var folder = new EventFolder();
        var options = folder.Options with { MaxRefusedBytes = 4 << 20 };
        await using var repository = DiskEventRepository.Open(options);
        var large = new OutgoingEvent("topic", default, new byte[600 << 10]);

        var error = await Assert.ThrowsAsync<EventRepositoryException>(async () =>
        {
            for (var i = 0; i < 20; i++)
            {
                var recorded = await repository.RecordAsync(large, Cancellation);
                await repository.MarkAsync([new EventMark(recorded, EventFate.Refused, "too large")], Cancellation);
            }
        });

        Assert.Contains("stays unsettled", error.Message, StringComparison.Ordinal);
        var backlog = await repository.CountAsync(Cancellation);
        Assert.Equal(1, backlog.Unsettled);
        Assert.InRange(backlog.Refused, 3, 7);
    }

    [Fact]
    public async Task Refused_events_lie_in_a_queue_that_can_be_read_offline_with_their_reasons()
    {
        using var folder = new EventFolder();
        await using (var repository = folder.Open())
        {
            var recorded = await repository.RecordAsync(OutgoingEvent.Of("topic", "key", "value"), Cancellation);
            await repository.MarkAsync([new EventMark(recorded, EventFate.Refused, "the reason")], Cancellation);
        }

        using var inspection = Queue.Inspection.QueueInspection.Open(folder.Options.RefusedLog.Directory);
        var kept = EventRecord.ReadRefused(Assert.Single(inspection.Read()).Record!.Value.Payload.Span);

        Assert.Equal(("the reason", "topic"), (kept!.Value.Reason, kept.Value.Event.Topic));
    }

    [Fact]
    public async Task A_folder_that_is_open_elsewhere_is_refused()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();

        Assert.Equal(QueueOpenFailure.InUse, Assert.Throws<QueueOpenException>(() => folder.Open()).Failure);
    }

    [Fact]
    public async Task An_event_that_the_disk_damaged_is_counted_and_holds_up_nothing()
    {
        using var folder = new EventFolder();
        await using (var writing = folder.Open())
        {
            foreach (var value in new[] { "first", "DAMAGED", "third" })
                await writing.RecordAsync(OutgoingEvent.Of("topic", "key", value), Cancellation);
        }
        var segment = Directory.EnumerateFiles(folder.Path).Single(file => File.ReadAllBytes(file).AsSpan().IndexOf("DAMAGED"u8) >= 0);
        await using (var file = new FileStream(segment, FileMode.Open))
        {
            file.Position = File.ReadAllBytes(segment).AsSpan().IndexOf("DAMAGED"u8);
            file.WriteByte((byte)'X');
        }

        await using var repository = folder.Open();

        Assert.Equal(new EventBacklog(2, 0, 1), await repository.CountAsync(Cancellation));
        await using var producer = Always(Delivered);
        Assert.Equal(new SweepReport(2, 2), await new EventSweeper(new EventPublisher(repository, producer)).SweepAsync(Cancellation));
        Assert.Equal(["first", "third"], producer.Values);
    }
}
