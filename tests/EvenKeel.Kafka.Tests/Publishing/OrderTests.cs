using System.Collections.Concurrent;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Publishing.ScriptedProducer;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>The order of a key: no event is sent before every earlier one of its key is settled.</summary>
public sealed class OrderTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publications_of_one_key_at_once_go_one_after_the_other_in_the_order_of_recording_and_none_is_left_over()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        var brittle = new BrittleRepository(repository);
        var underway = new ConcurrentDictionary<string, int>();
        var overlaps = 0;
        await using var producer = new ScriptedProducer(async record =>
        {
            if (underway.AddOrUpdate(record.Key, 1, (_, count) => count + 1) > 1)
                Interlocked.Increment(ref overlaps);
            await Task.Yield();
            underway.AddOrUpdate(record.Key, 0, (_, count) => count - 1);
            return Delivered();
        });
        var publisher = new EventPublisher(brittle, producer);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 300).Select(
            i => Task.Run(() => publisher.PublishAsync(OutgoingEvent.Of("topic", $"key {i % 3}", $"{i}"), Cancellation))))
            .WaitAsync(Deadline, Cancellation);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Published, outcome.Status));
        Assert.Equal(0, overlaps);
        Assert.Equal(300, producer.Sent.Count);
        foreach (var key in producer.Sent.GroupBy(record => record.Key))
        {
            var positions = key.Select(record => brittle.Positions[record.EventId]).ToList();
            Assert.Equal(positions.Order(), positions);
        }
        Assert.Equal(0, publisher.Lanes);
    }

    [Fact]
    public async Task An_event_whose_predecessor_ends_between_the_question_and_the_wait_is_published_and_not_left_to_the_sweeper()
    {
        await using var key = await BusyKey.StartAsync();
        key.Repository.AfterRefusedClaim = key.EndFirstAsync;

        var second = await key.PublishAsync("2").WaitAsync(Deadline, Cancellation);

        Assert.Equal((PublishStatus.Published, PublishStatus.Published), ((await key.First).Status, second.Status));
    }

    [Fact]
    public async Task An_event_does_not_give_up_because_an_earlier_one_waits_that_nobody_has_called()
    {
        await using var key = await BusyKey.StartAsync();

        // The second and the third are both told that they are behind; then the first leaves, and only then do they wait, one after the other.
        var (secondMayWait, thirdMayWait) = (new TaskCompletionSource(), new TaskCompletionSource());
        var refused = 0;
        key.Repository.AfterRefusedClaim = () => Interlocked.Increment(ref refused) switch
        {
            1 => secondMayWait.Task,
            2 => thirdMayWait.Task,
            _ => Task.CompletedTask,
        };
        var second = key.PublishAsync("2");
        await Until(() => Volatile.Read(ref refused) == 1, () => $"{refused} refused");
        var third = key.PublishAsync("3");
        await Until(() => Volatile.Read(ref refused) == 2, () => $"{refused} refused");
        await key.EndFirstAsync();
        secondMayWait.SetResult();
        await Until(() => key.Waiting == 1, () => $"{key.Waiting} wait");
        thirdMayWait.SetResult();

        Assert.Equal(PublishStatus.Published, (await second.WaitAsync(Deadline, Cancellation)).Status);
        Assert.Equal(PublishStatus.Published, (await third.WaitAsync(Deadline, Cancellation)).Status);
        Assert.Equal(["1", "2", "3"], key.Sent);
    }

    [Fact]
    public async Task A_later_event_is_not_sent_while_an_earlier_one_of_its_key_is_unsettled_and_other_keys_go_on()
    {
        using var folder = new EventFolder();
        var time = new ManualTime();
        await using var repository = folder.Open(time);
        var away = true;
        await using var producer = new ScriptedProducer(
            record => Task.FromResult(away && record.Value == "1" ? RefusedForNow() : Delivered()));
        var publisher = new EventPublisher(repository, producer);

        Assert.Equal(PublishStatus.Held, (await Publish("key", "1")).Status);
        Assert.Equal(PublishStatus.Held, (await Publish("key", "2")).Status);
        Assert.Equal(PublishStatus.Published, (await Publish("other", "3")).Status);
        Assert.Equal(["1", "3"], producer.Values);

        away = false;
        Assert.Equal(0, (await new EventSweeper(publisher).SweepAsync(Cancellation)).Claimed);
        time.Advance(publisher.Options.RetryPause + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(2, 2), await new EventSweeper(publisher).SweepAsync(Cancellation));
        Assert.Equal(["1", "3", "1", "2"], producer.Values);
        Assert.Equal(PublishStatus.Published, (await Publish("key", "4")).Status);

        Task<PublishOutcome> Publish(string key, string value) =>
            publisher.PublishAsync(OutgoingEvent.Of("topic", key, value), Cancellation);
    }

    [Fact]
    public async Task A_run_of_the_sweeper_stops_at_the_first_event_that_is_not_settled()
    {
        using var folder = new EventFolder();
        var time = new ManualTime();
        await using var repository = folder.Open(time);
        var stuck = "1";
        await using var producer = new ScriptedProducer(record => Task.FromResult(record.Value == stuck ? RefusedForNow() : Delivered()));
        var publisher = new EventPublisher(repository, producer);
        var sweeper = new EventSweeper(publisher);
        foreach (var value in new[] { "1", "2", "3", "4" })
            await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", value), Cancellation);

        stuck = "3";
        time.Advance(publisher.Options.RetryPause + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(4, 2), await sweeper.SweepAsync(Cancellation));
        Assert.Equal(["1", "1", "2", "3"], producer.Values);

        stuck = "";
        time.Advance(publisher.Options.RetryPause + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(2, 2), await sweeper.SweepAsync(Cancellation));
        Assert.Equal(["1", "1", "2", "3", "3", "4"], producer.Values);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Behind_an_event_whose_mark_failed_nothing_of_the_key_is_sent(bool swept)
    {
        using var folder = new EventFolder();
        var time = new ManualTime();
        await using var repository = folder.Open(time);
        var brittle = new BrittleRepository(repository);
        var away = swept;
        await using var producer = Always(() => away ? RefusedForNow() : Delivered());
        var publisher = new EventPublisher(brittle, producer);
        if (swept)
        {
            await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "1"), Cancellation);
            await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "2"), Cancellation);
            time.Advance(publisher.Options.RetryPause + TimeSpan.FromMilliseconds(1));
        }
        away = false;
        brittle.BeforeMark = marks => marks[0].Fate == EventFate.Delivered ? BrittleRepository.Fail() : Task.CompletedTask;

        if (swept)
        {
            Assert.Equal(new SweepReport(2, 0), await new EventSweeper(publisher).SweepAsync(Cancellation));
        }
        else
        {
            Assert.False((await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "1"), Cancellation)).IsMarked);
            Assert.Equal(PublishStatus.Held, (await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "2"), Cancellation)).Status);
        }

        Assert.DoesNotContain("2", producer.Values);
        brittle.BeforeMark = null;
        time.Advance(folder.Options.ClaimFor + TimeSpan.FromMilliseconds(1));
        Assert.Equal(new SweepReport(2, 2), await new EventSweeper(publisher).SweepAsync(Cancellation));
        Assert.Equal(["1", "2"], producer.Values.Distinct());
        Assert.Equal("2", producer.Values.Last());
    }

    [Fact]
    public async Task Publications_behind_an_event_of_an_earlier_life_are_all_held_and_none_waits_for_ever()
    {
        using var folder = new EventFolder();
        await using (var earlier = folder.Open())
            await earlier.RecordAsync(OutgoingEvent.Of("topic", "key", "old"), Cancellation);
        await using var repository = folder.Open();
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(repository, producer);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(
            i => Task.Run(() => publisher.PublishAsync(OutgoingEvent.Of("topic", "key", $"{i}"), Cancellation))))
            .WaitAsync(Deadline, Cancellation);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Held, outcome.Status));
        Assert.Empty(producer.Sent);
        Assert.Equal(0, publisher.Lanes);
        Assert.Equal(new SweepReport(51, 51), await new EventSweeper(publisher).SweepAsync(Cancellation));
        Assert.Equal("old", producer.Values.First());
    }

    [Fact]
    public async Task A_publication_that_is_cancelled_in_its_lane_is_held_and_the_one_behind_it_waits_for_the_sweeper()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        var release = new TaskCompletionSource<DeliveryOutcome>();
        await using var producer = new ScriptedProducer(record => record.Value == "1" ? release.Task : Task.FromResult(Delivered()));
        var publisher = new EventPublisher(repository, producer);
        using var cancel = new CancellationTokenSource();

        var first = publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "1"), Cancellation);
        var second = publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "2"), cancel.Token);
        await Until(() => producer.Sent.Count == 1, () => $"{producer.Sent.Count} sent");
        await UntilUnsettled(repository, 2);
        var third = publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "3"), Cancellation);
        await UntilUnsettled(repository, 3);
        await cancel.CancelAsync();

        Assert.Equal(PublishStatus.Held, (await second.WaitAsync(Deadline, Cancellation)).Status);
        release.SetResult(Delivered());
        Assert.Equal(PublishStatus.Published, (await first.WaitAsync(Deadline, Cancellation)).Status);
        Assert.Equal(PublishStatus.Held, (await third.WaitAsync(Deadline, Cancellation)).Status);
        Assert.Equal(["1"], producer.Values);
        Assert.Equal(new SweepReport(2, 2), await new EventSweeper(publisher).SweepAsync(Cancellation));
        Assert.Equal(["1", "2", "3"], producer.Values);
    }

    [Fact]
    public async Task An_event_refused_for_good_does_not_hold_up_its_key()
    {
        using var folder = new EventFolder();
        await using var repository = folder.Open();
        await using var producer = new ScriptedProducer(record => Task.FromResult(record.Value == "1" ? RefusedForGood() : Delivered()));
        var publisher = new EventPublisher(repository, producer);

        Assert.Equal(PublishStatus.Refused, (await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "1"), Cancellation)).Status);
        Assert.Equal(PublishStatus.Published, (await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "2"), Cancellation)).Status);
    }

    private static async Task UntilUnsettled(DiskEventRepository repository, long count)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var deadline = new CancellationTokenSource(Deadline);
        while ((await repository.CountAsync(Cancellation)).Unsettled is var unsettled && unsettled != count)
        {
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"{unsettled} unsettled instead of {count} after {Deadline}.");
            await tick.WaitForNextTickAsync(Cancellation);
        }
    }

    /// <summary>A publisher whose first event, "1", is being sent until <see cref="EndFirstAsync"/>. All its events have one key.</summary>
    private sealed class BusyKey : IAsyncDisposable
    {
        private readonly EventFolder _folder = new();
        private readonly TaskCompletionSource _isSending = new();
        private readonly TaskCompletionSource _goOn = new();
        private readonly DiskEventRepository _repository;
        private readonly ScriptedProducer _producer;
        private readonly EventPublisher _publisher;

        private BusyKey()
        {
            _repository = _folder.Open();
            _producer = new ScriptedProducer(AnswerAsync);
            Repository = new BrittleRepository(_repository);
            _publisher = new EventPublisher(Repository, _producer);
            First = PublishAsync("1");
        }

        public BrittleRepository Repository { get; }

        public Task<PublishOutcome> First { get; }

        public IEnumerable<string?> Sent => _producer.Values;

        public int Waiting => _publisher.Waiting;

        public static async Task<BusyKey> StartAsync()
        {
            var key = new BusyKey();
            await key._isSending.Task.WaitAsync(Deadline, Cancellation);
            return key;
        }

        public Task<PublishOutcome> PublishAsync(string value) =>
            _publisher.PublishAsync(OutgoingEvent.Of("topic", "key", value), Cancellation);

        public Task<PublishOutcome> EndFirstAsync()
        {
            _goOn.TrySetResult();
            return First;
        }

        public async ValueTask DisposeAsync()
        {
            await _producer.DisposeAsync();
            await _repository.DisposeAsync();
            _folder.Dispose();
        }

        private async Task<DeliveryOutcome> AnswerAsync(SentRecord record)
        {
            if (record.Value == "1")
            {
                _isSending.SetResult();
                await _goOn.Task;
            }
            return Delivered();
        }
    }
}
