using EvenKeel.Kafka.Producing;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>
/// A million: many threads send as fast as they get room; every record is there once, in order per key, in the partition of Java's
/// partitioner. Independent clients look.
/// </summary>
internal sealed class Million(int records, int threads, bool isEmbedded)
{
    private const int KeysOfAThread = 4;
    private const int ValueBytes = 64;

    // The embedded broker keeps 5 MiB a partition: so many hold all of it, also for who reads late.
    private const int EmbeddedPartitions = 64;
    private const int RealPartitions = 12;
    private static readonly TimeSpan WarmUpLimit = TimeSpan.FromSeconds(30);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using ICluster cluster = isEmbedded ? new EmbeddedCluster() : await RealCluster.StartAsync(KafkaHome.Require(), cancellation);
        var topic = $"million-{(isEmbedded ? "embedded" : "real")}";
        await cluster.CreateTopicAsync(topic, isEmbedded ? EmbeddedPartitions : RealPartitions, cancellation);

        // 1. The readers read while it is written.
        var written = false;
        var ours = new LogReader(cluster.BootstrapServers, topic).ReadAsync(() => Volatile.Read(ref written), cancellation);
        var missing = await IndependentClients.WhatIsMissingAsync(cancellation);
        var independent = new IndependentClients(cluster.BootstrapServers, topic, run.Folder);
        var python = missing is null ? independent.RunPythonAsync(allowsDoubles: false, verdict, cancellation) : Task.CompletedTask;

        // 2. The threads send; then the producer ends.
        var book = new RecordBook(threads * KeysOfAThread);
        var latencies = new LatencyLog();
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = cluster.BootstrapServers });
        await producer.WarmUpAsync([topic], WarmUpLimit, cancellation);
        var took = await new Flood(new Load(producer, topic, book, latencies), book, threads, ValueBytes).SendAsync(records);
        var drained = await producer.DrainAsync(cancellationToken: cancellation);
        verdict.Say($"{(isEmbedded ? "embedded" : "real")}: {book.Total} records from {threads} threads in {took.TotalSeconds:0.0} s, {book.Total / took.TotalSeconds:0} a second; p99 {latencies.Percentile(0.99):0} ms");
        verdict.Check(drained.IsClean, $"the drain left {drained.Refused} refused and {drained.Unknown} unknown");
        CounterCheck.Run(producer.Counters, book, verdict);
        verdict.Check(
            book.Count(Fate.Delivered) == book.Total && book.Total == records / threads * threads,
            $"{book.Count(Fate.Delivered)} of {book.Total} delivered, {records} wanted: {book.Reasons}");

        // 3. Everybody compares.
        Volatile.Write(ref written, true);
        await independent.WriteBookAsync(book, cancellation);
        new LogCheck(book, await ours, new Expectations()).Run(verdict);
        await python;
        if (missing is not null)
        {
            verdict.Say($"not looked at by independent clients: {missing}");
            return;
        }
        var counted = await independent.CountWithKcatAsync(cancellation);
        verdict.Say($"kcat: {counted} records");
        verdict.Check(counted == book.Total, $"kcat counts {counted} records, {book.Total} were delivered");
    }
}
