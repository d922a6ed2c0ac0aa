using System.Diagnostics;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>The store, what happens to the members that write to it, and how often.</summary>
internal sealed record EffectsShape(string Store, string Connection, string Protocol, int Kills, int RecordsASecond);

/// <summary>
/// Members that keep their positions in a database, with the effects. They are killed; now and then one is paused beyond its session and
/// woken as a zombie, with work in its hands that others have done meanwhile. Each record's effect is there once, each key's in order.
/// </summary>
internal sealed class Effects(EffectsShape shape)
{
    private const string Topic = "effects";
    private const int Partitions = 4;
    private const int Keys = 40;
    private const int KillsPerZombie = 5;
    // Long enough that who is killed or paused has something in hand.
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        var connection = shape.Store == EffectStore.Sqlite ? $"Data Source={Path.Combine(run.Folder, "effects.db")}" : shape.Connection;
        using var store = new EffectStore(shape.Store, connection);
        await store.PrepareAsync(cancellation);
        await using var cluster = await RealCluster.StartAsync(
            KafkaHome.Require(), cancellation,
            "--property", "group.consumer.min.session.timeout.ms=6000", "--property", "group.consumer.session.timeout.ms=6000",
            "--property", "group.consumer.min.heartbeat.interval.ms=1000", "--property", "group.consumer.heartbeat.interval.ms=2000");
        await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = cluster.BootstrapServers });
        var book = new RecordBook(Keys);
        var load = new Load(producer, Topic, book, new LatencyLog()).RunAsync(new LoadShape(1, shape.RecordsASecond, 20), stop.Token);

        // 1. Kills, and zombies that wake when others own their partitions.
        var members = new List<Process> { Start(cluster, run, connection), Start(cluster, run, connection), Start(cluster, run, connection) };
        var zombies = 0;
        for (var kills = 0; kills < shape.Kills; kills++)
        {
            await Moment.PassAsync(run.Random.Between(0.5, 3), cancellation);
            var victim = members[run.Random.Next(members.Count)];
            if (kills % KillsPerZombie == 0)
            {
                // Once the sessions of those that were killed are over, every member has partitions, and work.
                zombies++;
                await Moment.PassAsync(Settled, cancellation);
                await MemberProcess.SignalAsync(victim, "STOP");
                await Moment.PassAsync(run.Random.Between(8, 12), cancellation);
                await MemberProcess.SignalAsync(victim, "CONT");
                continue;
            }
            members.Remove(victim);
            victim.Kill();
            await victim.WaitForExitAsync(cancellation);
            members.Add(Start(cluster, run, connection));
        }
        await stop.CancelAsync();
        await load;
        await Moment.UntilAsync(() => book.Pending == 0, Limit, cancellation);

        // 2. All that was delivered has its effect; the members leave.
        var delivered = book.Count(Fate.Delivered);
        var counted = 0L;
        var start = Stopwatch.GetTimestamp();
        while ((counted = await store.CountAsync(cancellation)) < delivered && Stopwatch.GetElapsedTime(start) < Limit)
            await Moment.PassAsync(TimeSpan.FromMilliseconds(200), cancellation);
        foreach (var member in members)
        {
            member.StandardInput.Close();
            await member.WaitForExitAsync(cancellation);
        }

        // 3. The verdict.
        var effects = await store.ReadAsync(cancellation);
        var fenced = Directory.EnumerateFiles(run.Folder, "*.fenced").Sum(file => File.ReadAllLines(file).Length);
        verdict.Say($"{book.Total} sent, {delivered} delivered, {effects.Count} effects; {shape.Kills - zombies} kills, {zombies} zombies, {fenced} writes refused by the fence");
        verdict.Check(delivered == book.Total, $"{book.Total - delivered} of {book.Total} records were not delivered: {book.Reasons}");
        verdict.Check(counted == delivered, $"{delivered - counted} records have no effect");
        verdict.Check(effects.Count == delivered, $"{effects.Count - delivered} effects too many");
        foreach (var key in effects.GroupBy(effect => effect.Key))
        {
            var numbers = key.Select(effect => effect.Number).ToList();
            verdict.Check(numbers.SequenceEqual(Enumerable.Range(0, numbers.Count)), $"{key.Key}: out of order or not once");
        }
        if (shape.Kills >= KillsPerZombie)
            verdict.Check(fenced > 0, $"no zombie wrote: the run shows nothing of the fence");
    }

    /// <summary>One member, until it is asked to leave.</summary>
    public static async Task RunChildAsync(EffectsShape shape, string bootstrapServers, string folder, Task leave)
    {
        using var store = new EffectStore(shape.Store, shape.Connection);
        var refusals = Path.Combine(folder, $"{Guid.NewGuid():N}.fenced");
        var notices = Path.Combine(folder, $"{Environment.ProcessId}.notices");
        store.Fenced += () => File.AppendAllText(refusals, $"{TimeProvider.System.GetUtcNow():O}\n");
        var properties = new Dictionary<string, string> { ["fetch.wait.max.ms"] = "50" };
        if (shape.Protocol == "classic")
            (properties["session.timeout.ms"], properties["heartbeat.interval.ms"]) = ("6000", "2000");
        await using var consumer = ReliableConsumer.OfBatches(
            new ConsumerOptions
            {
                BootstrapServers = bootstrapServers,
                GroupId = Topic,
                Topics = [Topic],
                Protocol = shape.Protocol == "classic" ? GroupProtocol.Classic : GroupProtocol.Consumer,
                MaxBatchRecords = 20,
                InHand = new InHandLimits { MaxRecords = 200 },
                Properties = properties,
            },
            async (batch, cancellation) =>
            {
                await Moment.PassAsync(Work, cancellation);
                await store.WriteAsync(batch, cancellation);
            },
            (_, notice) => File.AppendAllText(notices, $"{TimeProvider.System.GetUtcNow():O} {notice.Kind}: {notice.Text}\n"), store);
        await leave;
        await consumer.StopAsync();
    }

    private Process Start(RealCluster cluster, ScenarioRun run, string connection) =>
        MemberProcess.Start(
            "effects", "--child", cluster.BootstrapServers, "--folder", run.Folder, "--protocol", shape.Protocol, "--store", shape.Store,
            "--connection", connection);
}
