using System.Diagnostics;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>What Kafka refuses a topic for.</summary>
internal enum RefusalCause
{
    /// <summary>The permission to write is taken away, and given back.</summary>
    Permission,

    /// <summary>The topic is deleted, and made again.</summary>
    Deletion,
}

/// <summary>
/// Kafka refuses one topic under load: its records are spilled and somebody is alarmed, another topic goes on as if nothing were, and all is
/// delivered once the topic is repaired.
/// </summary>
internal sealed class Refusal(RefusalCause cause, TimeSpan refused, int recordsASecond)
{
    private const int Partitions = 4;
    private const int Keys = 32;
    private const int Senders = 4;
    private const string Topic = "refused";
    private const string FreeTopic = "free";
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan AlarmLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ReplayLimit = TimeSpan.FromMinutes(1);

    // What was acknowledged just before the deletion may be told just after it.
    private static readonly TimeSpan Word = TimeSpan.FromSeconds(2);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        string[] options = cause == RefusalCause.Permission ? ["--sasl"] : ["--property", "auto.create.topics.enable=false"];
        await using var cluster = await RealCluster.StartAsync(KafkaHome.Require(), cancellation, options);
        await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
        await cluster.CreateTopicAsync(FreeTopic, Partitions, cancellation);
        if (cause == RefusalCause.Permission)
            await SetPermissionAsync(cluster, "--allow-principal", "--add", ["Describe", "Write"], cancellation);
        var (book, free) = (new RecordBook(Keys), new RecordBook(Keys));
        var latencies = new LatencyLog();
        await using var subject = new SpillSubject(Options(cluster), Path.Combine(run.Folder, "spill"), SpillAcknowledgement.Disk);
        await subject.Producer.WarmUpAsync([Topic, FreeTopic], ReplayLimit, cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var shape = new LoadShape(Senders, recordsASecond / 2);
        var load = Task.WhenAll(
            new Load(subject.Producer, Topic, book, latencies).RunAsync(shape, stop.Token),
            new Load(subject.Producer, FreeTopic, free, latencies).RunAsync(shape, stop.Token));

        // 1. Refused: spilled and alarmed, no error reaches a caller.
        await Moment.PassAsync(Before, cancellation);
        var alarms = subject.Count(ProducerNoticeKind.TopicHeld);
        await BreakAsync(cluster, cancellation);
        var brokenAt = Stopwatch.GetTimestamp();
        var alarmed = await Moment.UntilAsync(() => subject.Count(ProducerNoticeKind.TopicHeld) > alarms, AlarmLimit, cancellation);
        verdict.Check(alarmed is not null, $"nobody was alarmed within {AlarmLimit}");
        await Moment.PassAsync(Settling, cancellation);
        var (spilledBefore, freeBefore) = (book.Count(Fate.Spilled), free.Count(Fate.Delivered));
        await Moment.PassAsync(refused - Settling, cancellation);
        var (spilled, delivered) = (book.Count(Fate.Spilled) - spilledBefore, free.Count(Fate.Delivered) - freeBefore);
        verdict.Say($"alarmed after {alarmed?.TotalSeconds:0.0} s; in the last {(refused - Settling).TotalSeconds:0} s {spilled} of the topic spilled, {delivered} of the other delivered; {subject.Producer.Counters}");
        verdict.Check(subject.Producer.Counters.HeldTopics == 1, $"{subject.Producer.Counters.HeldTopics} topics are held, one is refused");
        var wanted = (refused - Settling).TotalSeconds * recordsASecond / 2 / 2;
        verdict.Check(spilled > wanted, $"{spilled} of the refused topic were spilled, fewer than {wanted:0}");
        verdict.Check(delivered > wanted, $"{delivered} of the other topic were delivered, fewer than {wanted:0}: it is held up");

        // 2. Repaired: all of it is delivered.
        await RepairAsync(cluster, cancellation);
        var replayed = await Moment.UntilAsync(() => subject.IsAtRest, ReplayLimit, cancellation);
        verdict.Say($"at rest {replayed?.TotalSeconds:0.0} s after the repair");
        verdict.Check(replayed is not null, $"not at rest {ReplayLimit} after the repair: {subject.Producer.State}, {subject.Producer.Counters}");
        await stop.CancelAsync();
        await load;
        await Moment.UntilAsync(() => book.Pending + free.Pending == 0 && subject.IsAtRest, ReplayLimit, cancellation);
        foreach (var one in new[] { book, free })
        {
            verdict.Check(one.Pending == 0, $"{one.Pending} have no outcome");
            verdict.Check(one.Count(Fate.Refused) + one.Count(Fate.Unknown) == 0, $"an error reached a caller: {one.Reasons}");
        }
        verdict.Check(subject.Count(ProducerNoticeKind.TopicReleased) > 0, $"nobody was told that the topic is taken again");
        subject.CheckQuiet(verdict);

        // 3. The logs.
        var login = cause == RefusalCause.Permission ? WrongPassword.Login("admin", "admin-secret") : null;
        var forgottenUntil = cause == RefusalCause.Deletion ? brokenAt + (long)(Word.TotalSeconds * Stopwatch.Frequency) : 0;
        var expected = Expectations.OfASpill with { IsForgotten = line => line.EndedAt < forgottenUntil };
        var log = await new LogReader(cluster.BootstrapServers, Topic, login).ReadAsync(() => true, cancellation);
        new LogCheck(book, log, expected).Run(verdict);
        log = await new LogReader(cluster.BootstrapServers, FreeTopic, login).ReadAsync(() => true, cancellation);
        new LogCheck(free, log, Expectations.OfASpill).Run(verdict);
    }

    private ProducerOptions Options(RealCluster cluster) =>
        cause == RefusalCause.Permission
            ? WrongPassword.Options(cluster, "client-secret")
            : new ProducerOptions { BootstrapServers = cluster.BootstrapServers };

    private async Task BreakAsync(RealCluster cluster, CancellationToken cancellation)
    {
        if (cause == RefusalCause.Permission)
            await SetPermissionAsync(cluster, "--deny-principal", "--add", ["Write"], cancellation);
        else
            await cluster.DeleteTopicAsync(Topic, cancellation);
    }

    private async Task RepairAsync(RealCluster cluster, CancellationToken cancellation)
    {
        if (cause == RefusalCause.Permission)
            await SetPermissionAsync(cluster, "--deny-principal", "--remove", ["Write"], cancellation);
        else
            await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
    }

    private static Task<string> SetPermissionAsync(
        RealCluster cluster, string principal, string change, string[] operations, CancellationToken cancellation) =>
        cluster.ToolAsync(
            [
                "acls", change, principal, "User:client", .. operations.SelectMany(operation => new[] { "--operation", operation }), "--topic", Topic,
                .. change == "--remove" ? ["--force"] : Array.Empty<string>(),
            ],
            cancellation);
}
