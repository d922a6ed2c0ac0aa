using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>
/// Three nodes, of which one after the other is killed and brought back under load: two in-sync replicas suffice, so no caller notices
/// more than a slow send.
/// </summary>
internal sealed class Nodes(TimeSpan duration, int recordsASecond)
{
    private const int Partitions = 12;
    private const int Keys = 64;
    private const int Senders = 8;
    private const double MostMilliseconds = 1000;
    private static readonly TimeSpan RecoveryLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using var cluster = await RealCluster.StartAsync(KafkaHome.Require(), cancellation, "--nodes", "3");
        await cluster.CreateTopicAsync("nodes", Partitions, cancellation);
        var book = new RecordBook(Keys);
        var latencies = new LatencyLog();
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = cluster.BootstrapServers });
        await producer.WarmUpAsync(["nodes"], Limit, cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var load = new Load(producer, "nodes", book, latencies).RunAsync(new LoadShape(Senders, recordsASecond), stop.Token);

        // 1. Kill, watch, bring back, wait for all replicas: a second node that dies before that would leave one alone, which is another
        //    test's outage.
        var kills = new List<(int Node, TimeSpan At, TimeSpan Until)>();
        await Moment.PassAsync(Watched, cancellation);
        while (latencies.Now < duration)
        {
            var node = run.Random.Next(cluster.Nodes);
            var at = latencies.Now;
            await cluster.KillAsync(node, cancellation);
            await Moment.PassAsync(RecoveryLimit + Watched, cancellation);
            await cluster.ReturnAsync(node, cancellation);
            var whole = await Moment.UntilAsync(() => IsWhole(producer), Limit, cancellation);
            verdict.Check(whole is not null, $"node {node} is back and after {Limit} replicas are still out of sync");
            await Moment.PassAsync(run.Random.Between(1, 3), cancellation);
            kills.Add((node, at, latencies.Now));
            verdict.Say($"node {node} killed at {at.TotalSeconds:0} s: {Told(latencies, at, latencies.Now)}; {book.Pending} without outcome");
        }

        // 2. The end: all have their outcome.
        await stop.CancelAsync();
        await load;
        var drained = await producer.DrainAsync(cancellationToken: cancellation);
        verdict.Check(drained.IsClean && book.Pending == 0, $"the drain left {drained}, {book.Pending} have no outcome");
        verdict.Check(
            book.Count(Fate.Delivered) == book.Total, $"an error reached a caller: {book.Reasons}");
        CounterCheck.Run(producer.Counters, book, verdict);
        foreach (var (node, at, until) in kills)
            CheckLatency(verdict, latencies, node, at, until);
        verdict.Say($"{kills.Count} kills; p99 of all {latencies.Percentile(0.99):0} ms, median {latencies.Percentile(0.5):0.0} ms");

        // 3. The log.
        var log = await new LogReader(cluster.BootstrapServers, "nodes").ReadAsync(() => true, cancellation);
        new LogCheck(book, log, new Expectations()).Run(verdict);
    }

    private static bool IsWhole(ReliableProducer producer)
    {
        var client = producer.Client.Handle;
        var found = client.Metadata(client.Topic("nodes"), TimeSpan.FromSeconds(5)).Topics.Single();
        return found.Partitions.Count == Partitions
            && found.Partitions.All(partition => partition.Leader >= 0 && partition.InSync == partition.Replicas);
    }

    private static string Told(LatencyLog latencies, TimeSpan from, TimeSpan to)
    {
        var seconds = Enumerable.Range((int)from.TotalSeconds, (int)(to - from).TotalSeconds + 1);
        return "p99 by second " + string.Join(" ", seconds.Select(second => $"{latencies.Percentile(0.99, second, second + 1):0}")) + " ms";
    }

    private static void CheckLatency(Verdict verdict, LatencyLog latencies, int node, TimeSpan at, TimeSpan until)
    {
        // What was sent in the last second may be on its way when the next kill comes.
        for (var second = (int)Math.Ceiling((at + RecoveryLimit).TotalSeconds); second < (int)until.TotalSeconds - 1; second++)
        {
            var p99 = latencies.Percentile(0.99, second, second + 1);
            verdict.Check(
                p99 < MostMilliseconds,
                $"{second - at.TotalSeconds:0} s after the kill of node {node} at {at.TotalSeconds:0} s p99 is {p99:0} ms");
        }
    }
}
