using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class RebalanceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(BrokersAndProtocols), MemberType = typeof(Consumers))]
    public async Task A_second_member_gets_its_share_and_each_record_is_handled_once(string kind, string protocol)
    {
        await using var broker = BrokerKinds.Start(kind);
        var (topic, group) = (NewName("share"), NewName("share"));
        await broker.CreateTopicAsync(topic, 4, Cancellation);
        await FillAsync(broker, topic, 500);
        var heard = new Heard();
        var (first, second) = (new Heard(), new Heard());

        await using var one = new ReliableConsumer(
            Options(broker, group, topic, protocol), (record, _) => heard.Take(record), first.Take);
        await heard.Until(all => all.Count >= 500);
        await using var two = new ReliableConsumer(
            Options(broker, group, topic, protocol), (record, _) => heard.Take(record), second.Take);
        await Until(() => one.Positions().Count == 2 && two.Positions().Count == 2, () => $"{first} || {second}");
        await FillAsync(broker, topic, 500, from: 500);
        await heard.Until(all => all.Different >= 1000);

        AssertHandled(1000, kind, heard, first);
        await two.StopAsync(cancellationToken: Cancellation);
        await Until(() => one.Positions().Count == 4, () => $"{first}");
        await FillAsync(broker, topic, 100, from: 1000);
        await heard.Until(all => all.Different >= 1100);
        AssertHandled(1100, kind, heard, first);
        Assert.DoesNotContain(first.Notices, notice => notice.Kind is ConsumerNoticeKind.Lost or ConsumerNoticeKind.Defect);
    }

    [Theory]
    [InlineData(Cooperative)]
    [InlineData(Eager)]
    public async Task On_revocation_running_work_is_finished_and_committed_and_what_was_not_begun_goes_to_the_next_owner(string protocol)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("revoke", 2, Cancellation);
        await FillAsync(broker, "revoke", 40);
        var (heard, told, others) = (new Heard(), new Heard(), new Heard());
        using var goOn = new SemaphoreSlim(0);

        await using var one = new ReliableConsumer(
            Options(broker, "revoke", "revoke", protocol),
            async (record, stop) =>
            {
                await goOn.WaitAsync(stop);
                await heard.Take(record);
            },
            told.Take);
        await Until(() => one.Counters.Taken == 40, () => $"{told}");
        await using var two = new ReliableConsumer(
            Options(broker, "revoke", "revoke", protocol), (record, _) => heard.Take(record), others.Take);

        // Of the partition that goes, perhaps nothing runs: then the change is over at once.
        await Until(
            () => one.Loop.Membership.IsChanging || told.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Revoked), () => $"{told}");
        goOn.Release(1000);
        await heard.Until(all => all.Different >= 40);

        AssertHandled(40, BrokerKinds.Embedded, heard, told);
        Assert.DoesNotContain(told.Notices, notice => notice.Kind is ConsumerNoticeKind.Abandoned or ConsumerNoticeKind.Lost);
    }

    [Fact]
    public async Task Work_that_does_not_end_in_time_for_a_revocation_is_told_so_given_up_uncommitted_and_handled_by_the_next_owner()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("late", 2, Cancellation);
        await FillAsync(broker, "late", 40);
        var (heard, told, others) = (new Heard(), new Heard(), new Heard());
        var options = Options(broker, "late", "late", Eager);
        var cancelled = new TaskCompletionSource();

        await using var one = new ReliableConsumer(
            options with { Deadlines = new ConsumerDeadlines { Revoke = TimeSpan.FromMilliseconds(100) } },
            async (_, stop) =>
            {
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancelled.TrySetResult();
                stop.ThrowIfCancellationRequested();
            },
            told.Take);
        await Until(() => one.Counters.Taken == 40, () => $"{told}");
        await using var two = new ReliableConsumer(options, (record, _) => heard.Take(record), others.Take);
        await cancelled.Task.WaitAsync(Deadline, Cancellation);
        await told.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Abandoned));
        await one.StopAsync(TimeSpan.FromMilliseconds(500), Cancellation);
        await heard.Until(all => all.Count >= 40);

        Assert.Equal(Enumerable.Range(0, 40), heard.Records.Select(record => record.Number).Order());
        Assert.Equal(0, one.Counters.Done);
    }

    [Fact]
    public async Task On_loss_nothing_is_committed()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("loss", 1, Cancellation);
        await FillAsync(broker, "loss", 10);
        var heard = new Heard();

        // Its commits come by the interval alone, of which the test sees none before the loss.
        await using var consumer = new ReliableConsumer(
            Options(broker, "loss", "loss") with { CommitInterval = TimeSpan.FromMinutes(1) }, (record, _) => heard.Take(record), heard.Take);
        await heard.Until(all => all.Count == 10);
        broker.Faults.StartRecording();
        broker.Faults.FailRequests(KafkaApi.Heartbeat, KafkaErrorCode.UnknownMember);
        await heard.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Lost));
        await heard.Until(all => all.Count == 20);

        Assert.DoesNotContain(broker.Faults.Requests(), request => request.Api == KafkaApi.OffsetCommit);
        Assert.Equal(Enumerable.Range(0, 10).Concat(Enumerable.Range(0, 10)), heard.Records.Select(record => record.Number));
    }

    /// <summary>
    /// Each record once; but the embedded broker refuses commits while a group rebalances, which a real one takes. What was refused then
    /// comes again, and not without a word.
    /// </summary>
    private static void AssertHandled(int count, string kind, Heard heard, Heard told)
    {
        var numbers = heard.Records.Select(record => record.Number).ToList();
        var isRefused = kind == BrokerKinds.Embedded && told.Notices.Any(notice =>
            notice is { Kind: ConsumerNoticeKind.CommitFailed, Error: KafkaErrorCode.RebalanceInProgress });
        Assert.Equal(Enumerable.Range(0, count), (isRefused ? numbers.Distinct() : numbers).Order());
    }
}
