using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming.History;

public sealed class GroupHistoryTests(ITestOutputHelper output)
{
    private const string LongVariable = "EVENKEEL_LONG_TESTS";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(BrokersAndProtocols), MemberType = typeof(Consumers))]
    public async Task Members_that_join_and_leave_at_random_lose_skip_and_reorder_nothing(string kind, string protocol)
    {
        var seed = Environment.TickCount;
        output.WriteLine($"SEED={seed}");
        await using var broker = BrokerKinds.Start(kind);
        var run = new GroupRun(broker, protocol, seed);
        var length = Environment.GetEnvironmentVariable(LongVariable) is { Length: > 0 } ? TimeSpan.FromMinutes(5) : TimeSpan.FromSeconds(6);

        await run.RunAsync(length, Cancellation);

        output.WriteLine($"{run.History.WrittenCount} records, {run.History.Commits.Count} commits");
        Assert.True(run.History.WrittenCount > 100, $"only {run.History.WrittenCount} records");
        Assert.Empty(run.History.Check().Select(finding => $"SEED={seed} {finding}"));
    }

    [Fact]
    public async Task A_ledger_that_commits_the_highest_offset_is_caught() =>
        Assert.Contains(
            await StuckKeyAsync(new CommitRule(ledger => ledger.HighestDone, CommitsAfterLoss: false)),
            finding => finding.Anomaly == Anomaly.CommittedUnprocessed);

    [Fact]
    public async Task A_ledger_that_forgets_a_gap_is_caught()
    {
        var looks = 0;
        var forgetful = new CommitRule(
            ledger => Interlocked.Increment(ref looks) < 10 ? ledger.Committable : ledger.HighestDone, CommitsAfterLoss: false);

        Assert.Contains(await StuckKeyAsync(forgetful), finding => finding.Anomaly == Anomaly.Skipped);
    }

    [Fact]
    public async Task The_ledger_as_it_is_passes_where_the_planted_faults_are_caught() =>
        Assert.Equal(
            [Anomaly.Lost], (await StuckKeyAsync(CommitRule.Right)).Select(finding => finding.Anomaly).Distinct());

    [Fact]
    public async Task A_ledger_that_commits_after_a_loss_is_caught()
    {
        Assert.Contains(
            await LossAsync(CommitRule.Right with { CommitsAfterLoss = true }),
            finding => finding.Anomaly == Anomaly.CommittedAfterLoss);
        Assert.Empty(await LossAsync(CommitRule.Right));
    }

    /// <summary>The handler of one key never ends, all others do; the member is stopped, and nobody comes after it.</summary>
    private static async Task<List<Finding>> StuckKeyAsync(CommitRule rule)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("stuck", 1, Cancellation);
        var (history, heard) = (new GroupHistory(), new Heard());
        await WriteAsync(broker, history, "stuck", 100);

        await using var consumer = new ReliableConsumer(
            Options(broker, "stuck", "stuck").With("session.timeout.ms", "30000") with
            {
                Lanes = 8,
                Deadlines = new ConsumerDeadlines { Close = TimeSpan.FromMilliseconds(500) },
            },
            new HandlerCall(async (ReceivedRecord record, CancellationToken stop) =>
            {
                if (record.Offset == 3)
                    await Task.Delay(Timeout.Infinite, stop);
                history.Handle(record);
                await heard.Take(record);
            }),
            heard.Take, null, history.Watch(rule));

        // The lane of the key that is stuck has a share of the others behind it.
        await Until(() => consumer.Counters.Taken >= 100 && history.Commits.Count >= 20, () => $"{history.Commits.Count} commits; {heard}");
        await consumer.StopAsync(cancellationToken: Cancellation);
        return history.Check();
    }

    private static async Task<List<Finding>> LossAsync(CommitRule rule)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("thrown-out", 1, Cancellation);
        var (history, heard) = (new GroupHistory(), new Heard());
        await WriteAsync(broker, history, "thrown-out", 10);

        await using var consumer = new ReliableConsumer(
            Options(broker, "thrown-out", "thrown-out") with { CommitInterval = TimeSpan.FromMinutes(1) },
            new HandlerCall((ReceivedRecord record, CancellationToken _) =>
            {
                history.Handle(record);
                return heard.Take(record);
            }),
            heard.Take, null, history.Watch(rule));
        await heard.Until(all => all.Count == 10);
        broker.Faults.FailRequests(KafkaApi.Heartbeat, KafkaErrorCode.UnknownMember);
        await heard.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Lost));
        return history.Check();
    }

    private static async Task WriteAsync(EmbeddedBroker broker, GroupHistory history, string topic, int count)
    {
        await using var producer = new ReliableProducer(Producers.Options(broker));
        for (var i = 0; i < count; i++)
            history.Write(topic, $"key-{i % 20}", await producer.SendAsync(topic, $"key-{i % 20}", $"{i}", cancellationToken: Cancellation));
    }
}
