using System.Collections.Concurrent;
using System.Diagnostics;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Consuming.History;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>What happens to the group of a run.</summary>
internal sealed record MembersShape(TimeSpan Duration, int RecordsASecond, string Protocol, int Nodes, bool IsViolent);

/// <summary>
/// Two to five members of a group, each a process, that join and leave at random under load; in the violent run they are also killed, or
/// paused past their session and woken again. With three nodes, one of those is killed at a time. A checker with named anomalies judges.
/// </summary>
internal sealed class Members(MembersShape shape)
{
    private const string Topic = "members";
    private const int Partitions = 8;
    private const int Keys = 64;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using var cluster = await RealCluster.StartAsync(
            KafkaHome.Require(), cancellation, "--nodes", $"{shape.Nodes}",
            "--property", "group.consumer.min.session.timeout.ms=6000", "--property", "group.consumer.session.timeout.ms=6000",
            "--property", "group.consumer.min.heartbeat.interval.ms=1000", "--property", "group.consumer.heartbeat.interval.ms=2000");
        await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
        var written = new ConcurrentQueue<Written>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = cluster.BootstrapServers });
        var load = LoadAsync(producer, written, verdict, stop.Token);
        var nodes = shape.Nodes > 1 ? KillNodesAsync(cluster, new Random(run.Random.Next()), stop.Token) : Task.FromResult(0);

        // 1. Members come and go, and worse.
        var members = new List<Process> { Start(cluster, run), Start(cluster, run) };
        var counts = new Dictionary<string, int>();
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < shape.Duration)
        {
            await Moment.PassAsync(run.Random.Between(0.5, 3), cancellation);
            var act = await ActAsync(members, cluster, run);
            counts[act] = counts.GetValueOrDefault(act) + 1;
        }
        await stop.CancelAsync();
        await load;
        var killedNodes = await nodes;

        // 2. Everything that was written is handled; the members leave.
        var seen = MemberLog.Read(run.Folder, Topic);
        var done = await Moment.UntilAsync(
            () => (seen = MemberLog.Read(run.Folder, Topic)).Handled.Select(one => (one.Partition, one.Offset)).Distinct().Count() >= written.Count,
            Limit, cancellation);
        verdict.Check(done is not null, $"after {Limit} not all of {written.Count} records were handled");
        foreach (var member in members)
            await LeaveAsync(member, verdict);

        // 3. The history.
        seen = MemberLog.Read(run.Folder, Topic);
        verdict.Say($"{written.Count} written, {seen.Handled.Count} handled, {seen.Committed.Count} commits, nodes killed {killedNodes}; {string.Join(", ", counts.Select(count => $"{count.Key} {count.Value}"))}");
        foreach (var kind in HistoryChecker.Check(written, seen.Handled, seen.Committed).GroupBy(finding => finding.Anomaly))
            verdict.Violated($"{kind.Key}: {kind.Count()}, first {kind.First().Evidence}");
    }

    /// <summary>One member, until it is asked to leave.</summary>
    public static async Task RunChildAsync(string bootstrapServers, string folder, string protocol, Task leave)
    {
        using var log = new MemberLog(folder);
        var properties = new Dictionary<string, string> { ["fetch.wait.max.ms"] = "50" };
        if (protocol == "classic")
            (properties["session.timeout.ms"], properties["heartbeat.interval.ms"]) = ("6000", "2000");
        await using var consumer = new ReliableConsumer(
            new ConsumerOptions
            {
                BootstrapServers = bootstrapServers,
                GroupId = Topic,
                Topics = [Topic],
                Protocol = protocol == "classic" ? GroupProtocol.Classic : GroupProtocol.Consumer,
                Lanes = 4,
                InHand = new InHandLimits { MaxRecords = 500 },
                CommitInterval = TimeSpan.FromMilliseconds(200),
                Properties = properties,
            },
            new HandlerCall(async (ReceivedRecord record, CancellationToken stop) =>
            {
                // Some take their time, so that what lies behind them is done first.
                if (record.Offset % 97 == 0)
                    await Moment.PassAsync(TimeSpan.FromMilliseconds(record.Offset % 11), stop);
                log.Handled(record);
            }),
            null, null, log.Watch());
        await leave;
        await consumer.StopAsync();
    }

    private static async Task LeaveAsync(Process member, Verdict verdict)
    {
        member.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await member.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            verdict.Violated($"a member did not end within 20 s of being asked to");
            member.Kill();
        }
    }

    private static async Task<int> KillNodesAsync(RealCluster cluster, Random moments, CancellationToken stop)
    {
        for (var kills = 0; ; kills++)
        {
            try
            {
                await Moment.PassAsync(moments.Between(10, 20), stop);
            }
            catch (OperationCanceledException)
            {
                return kills; // All nodes are there and stay.
            }
            var node = moments.Next(cluster.Nodes);
            await cluster.KillAsync(node, CancellationToken.None);
            await Moment.PassAsync(moments.Between(5, 10), CancellationToken.None);
            await cluster.ReturnAsync(node, CancellationToken.None);
        }
    }

    private static async Task SendAsync(ReliableProducer producer, int number, ConcurrentQueue<Written> written, Verdict verdict)
    {
        var key = $"key-{number % Keys}";
        var outcome = await producer.SendAsync(Topic, key, $"{number}", cancellationToken: CancellationToken.None);
        if (outcome.IsDelivered)
            written.Enqueue(new Written(Topic, outcome.Partition, outcome.Offset, key));
        else
            verdict.Violated($"a record was not delivered: {outcome}");
    }

    private async Task<string> ActAsync(List<Process> members, RealCluster cluster, ScenarioRun run)
    {
        var choice = run.Random.Next(shape.IsViolent ? 5 : 2);
        if (members.Count < 2 || (choice == 0 && members.Count < 5))
        {
            members.Add(Start(cluster, run));
            return "joined";
        }
        var member = members[run.Random.Next(members.Count)];
        if (member.HasExited)
        {
            run.Verdict.Violated($"a member ended by itself with {member.ExitCode}");
            members.Remove(member);
            return "ended";
        }
        if (choice is 0 or 1 or 2 && members.Count > 2)
        {
            members.Remove(member);
            await LeaveAsync(member, run.Verdict);
            return "left";
        }
        if (choice == 3)
        {
            members.Remove(member);
            member.Kill();
            await member.WaitForExitAsync();
            return "killed";
        }
        if (choice == 4)
        {
            // Longer than the session: others own its partitions when it wakes, with work in its hands.
            await MemberProcess.SignalAsync(member, "STOP");
            await Moment.PassAsync(run.Random.Between(7, 12), run.Cancellation);
            await MemberProcess.SignalAsync(member, "CONT");
            return "paused";
        }
        return "left alone";
    }

    private async Task LoadAsync(ReliableProducer producer, ConcurrentQueue<Written> written, Verdict verdict, CancellationToken stop)
    {
        const int turnsASecond = 50;
        using var tick = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / turnsASecond));
        var (number, sends) = (0, new List<Task>());
        while (!stop.IsCancellationRequested)
        {
            await tick.WaitForNextTickAsync(CancellationToken.None);
            sends.RemoveAll(send => send.IsCompleted);
            for (var i = 0; i < shape.RecordsASecond / turnsASecond; i++)
                sends.Add(SendAsync(producer, number++, written, verdict));
        }
        await Task.WhenAll(sends);
    }

    private Process Start(RealCluster cluster, ScenarioRun run) =>
        MemberProcess.Start("members", "--child", cluster.BootstrapServers, "--folder", run.Folder, "--protocol", shape.Protocol);
}
