using System.Diagnostics;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class CloseTests
{
    private const string LongVariable = "EVENKEEL_LONG_TESTS";
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(800);

    // What a machine that is busy with many other things may take on top.
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(900);

    public enum State
    {
        Healthy,
        NeverJoined,
        Down,
        CoordinatorSilent,
        EverythingSilent,
        Rebalancing,
        WorkInHand,
        HandlerDeaf,
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static int Rounds => Environment.GetEnvironmentVariable(LongVariable) is { Length: > 0 } ? 100 : 2;

    [Theory]
    [InlineData(State.Healthy)]
    [InlineData(State.NeverJoined)]
    [InlineData(State.Down)]
    [InlineData(State.CoordinatorSilent)]
    [InlineData(State.EverythingSilent)]
    [InlineData(State.Rebalancing)]
    [InlineData(State.WorkInHand)]
    [InlineData(State.HandlerDeaf)]
    public async Task The_close_keeps_its_limit_and_leaves_no_thread_in_every_state_of_the_brokers(State state)
    {
        for (var round = 0; round < Rounds; round++)
            await CloseOnce(state);
    }

    [Theory]
    [MemberData(nameof(BrokersAndProtocols), MemberType = typeof(Consumers))]
    public async Task A_close_without_time_leaves_no_native_client_behind(string kind, string protocol)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("hasty");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        await FillAsync(broker, topic, 10);
        var heard = new Heard();
        await using var consumer = new ReliableConsumer(
            Options(broker, NewName("hasty"), topic, protocol), (record, _) => heard.Take(record), heard.Take);
        await heard.Until(all => all.Count == 10);

        // The revocation that the close brings is met by nobody: librdkafka would wait for its answer for ever, a thread at full speed.
        await consumer.StopAsync(TimeSpan.Zero, Cancellation);

        await consumer.Destroyed.WaitAsync(Deadline, Cancellation);
    }

    [Fact]
    public async Task A_healthy_close_commits_leaves_and_takes_milliseconds()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("quick", 1, Cancellation);
        await FillAsync(broker, "quick", 100);
        var heard = new Heard();
        await using var consumer = new ReliableConsumer(
            Options(broker, "quick", "quick") with { CommitInterval = TimeSpan.FromMinutes(1) }, (record, _) => heard.Take(record), heard.Take);
        await heard.Until(all => all.Count == 100);

        var report = await consumer.StopAsync(cancellationToken: Cancellation);

        Assert.Equal((true, true, 0L), (report.LeftGroup, report.IsCommitted, report.AbandonedRecords));
        Assert.InRange(report.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(new long[] { 100 }, await CommittedAsync(broker, "quick", "quick", 1));
        await consumer.Destroyed.WaitAsync(Deadline, Cancellation);
        Assert.Same(report, await consumer.StopAsync(cancellationToken: Cancellation));
    }

    [Fact]
    public async Task Work_in_hand_is_finished_before_the_last_commit_and_what_was_not_begun_is_not_committed()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("finish", 1, Cancellation);
        await FillAsync(broker, "finish", 10);
        var heard = new Heard();
        var (begun, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var consumer = new ReliableConsumer(
            Options(broker, "finish", "finish"),
            async (record, _) =>
            {
                begun.TrySetResult();
                await goOn.Task;
                await heard.Take(record);
            },
            heard.Take);
        await begun.Task.WaitAsync(Deadline, Cancellation);

        var stop = consumer.StopAsync(TimeSpan.FromSeconds(20), Cancellation);

        // The loop has seen the stop: nothing more is taken, and of what is in hand only the record that is begun is not given up.
        await Until(
            () => consumer.Loop.Membership.Ledgers.All(ledger => !ledger.IsOpen && ledger.Unfinished() == 1), () => $"{heard}");
        goOn.SetResult();
        var report = await stop;

        Assert.Equal((true, 0L), (report.LeftGroup, report.AbandonedRecords));
        Assert.Equal([0], heard.Records.Select(record => record.Number));
        Assert.Equal(new long[] { 1 }, await CommittedAsync(broker, "finish", "finish", 1));
    }

    [Fact]
    public async Task A_cancelled_stop_ends_at_once_and_handlers_are_told()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("hurry", 1, Cancellation);
        await FillAsync(broker, "hurry", 10);
        var (begun, told) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var consumer = new ReliableConsumer(
            Options(broker, "hurry", "hurry"),
            async (_, stop) =>
            {
                begun.TrySetResult();
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                told.TrySetResult();
                stop.ThrowIfCancellationRequested();
            });
        await begun.Task.WaitAsync(Deadline, Cancellation);
        using var hurry = new CancellationTokenSource();
        var start = Stopwatch.GetTimestamp();

        var stopping = consumer.StopAsync(TimeSpan.FromMinutes(5), hurry.Token);
        await hurry.CancelAsync();
        var report = await stopping;

        Assert.Equal(1, report.AbandonedRecords);
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        await told.Task.WaitAsync(Deadline, Cancellation);
    }

    [Fact]
    public async Task A_fatal_error_ends_the_consumer_and_says_so()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("fatal", 1, Cancellation);
        await FillAsync(broker, "fatal", 1);
        var heard = new Heard();
        await using var consumer = new ReliableConsumer(Options(broker, "fatal", "fatal"), (record, _) => heard.Take(record), heard.Take);
        await heard.Until(all => all.Count == 1);

        using (var call = consumer.Context.Client.Handle.Enter())
            Assert.Equal(KafkaErrorCode.None, Librdkafka.TestFatalError(call.Client, KafkaErrorCode.FencedInstanceId, "made up"));

        var failure = await Assert.ThrowsAsync<KafkaException>(() => consumer.Ended.WaitAsync(Deadline, Cancellation));
        Assert.True(failure.IsFatal);
        await heard.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Fatal));
        await consumer.Destroyed.WaitAsync(Deadline, Cancellation);
    }

    private static async Task CloseOnce(State state)
    {
        // 1. A member with records done and not committed, in the state.
        var broker = EmbeddedBroker.Start();
        var group = NewName("close");
        await broker.CreateTopicAsync("close", 2, Cancellation);
        await FillAsync(broker, "close", 20);
        var heard = new Heard();
        using var deaf = new ManualResetEventSlim();
        if (state == State.NeverJoined)
            broker.Faults.SilenceCoordinator(group);
        var options = Options(broker, group, "close") with
        {
            CommitInterval = TimeSpan.FromMinutes(1),
            Deadlines = new ConsumerDeadlines { Close = Limit },
        };
        var consumer = new ReliableConsumer(
            options,
            async (record, stop) =>
            {
                await heard.Take(record);
                if (state == State.WorkInHand && heard.Count > 5)
                    await Task.Delay(Timeout.Infinite, stop);
                if (state == State.HandlerDeaf && heard.Count > 5)
                    deaf.Wait(Deadline, CancellationToken.None);
            },
            heard.Take);
        if (state != State.NeverJoined)
            await heard.Until(all => all.Count >= (state is State.WorkInHand or State.HandlerDeaf ? 6 : 20));
        await Break(broker, group, state);

        // 2. The close, within its limit.
        var start = Stopwatch.GetTimestamp();
        var report = await consumer.StopAsync(cancellationToken: Cancellation);
        var elapsed = Stopwatch.GetElapsedTime(start);
        Assert.True(elapsed <= Limit + Slack, $"{state}: {elapsed}, {report}; {heard}");
        Assert.Equal(state is State.WorkInHand or State.HandlerDeaf, report.AbandonedRecords > 0);

        // 3. What is left ends by itself: the lanes with their handlers, the native client with the brokers.
        deaf.Set();
        foreach (var lane in consumer.Loop.Dispatch.Lanes)
            Assert.True(lane.Thread.Join(Deadline), $"{lane.Thread.Name} is still there");
        Assert.True(consumer.Loop.Thread.Join(Deadline));
        await broker.DisposeAsync();
        await consumer.Destroyed.WaitAsync(TimeSpan.FromSeconds(90), Cancellation);
        Assert.DoesNotContain(heard.Notices, notice => notice.Kind == ConsumerNoticeKind.Defect);
    }

    private static async Task Break(EmbeddedBroker broker, string group, State state)
    {
        switch (state)
        {
            case State.Down:
                broker.Faults.TakeDown();
                break;
            case State.CoordinatorSilent:
                broker.Faults.StartRecording();
                broker.Faults.SilenceCoordinator(group);

                // Until the member has asked where the coordinator is now.
                await Until(
                    () => broker.Faults.Requests().Any(request => request.Api == KafkaApi.FindCoordinator), () => "no coordinator was asked for");
                break;
            case State.EverythingSilent:
                broker.Faults.SetRoundTripTime(TimeSpan.FromDays(1));
                break;
            case State.Rebalancing:
                broker.Faults.FailRequests(KafkaApi.Heartbeat, KafkaErrorCode.RebalanceInProgress);
                broker.Faults.StartRecording();
                broker.Faults.FailRequests(KafkaApi.SyncGroup, [.. Enumerable.Repeat(KafkaErrorCode.RebalanceInProgress, 1000)]);
                await Until(
                    () => broker.Faults.Requests().Any(request => request.Api == KafkaApi.JoinGroup), () => "no member joined again");
                break;
        }
    }
}
