using EvenKeel.Kafka.Producing;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>The only broker is killed and brought back under load, again and again.</summary>
internal sealed class Restarts(int rounds, int recordsASecond, bool isEmbedded)
{
    private const int Partitions = 8;
    private const int Keys = 64;
    private const int Senders = 8;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using ICluster cluster = isEmbedded ? new EmbeddedCluster() : await RealCluster.StartAsync(KafkaHome.Require(), cancellation);
        await cluster.CreateTopicAsync("restarts", Partitions, cancellation);
        var book = new RecordBook(Keys);
        var latencies = new LatencyLog();
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = cluster.BootstrapServers });
        await producer.WarmUpAsync(["restarts"], Limit, cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var load = new Load(producer, "restarts", book, latencies).RunAsync(new LoadShape(Senders, recordsASecond), stop.Token);

        // 1. Kill and bring back, at moments of the seed.
        for (var round = 1; round <= rounds; round++)
        {
            await Moment.PassAsync(run.Random.Between(0.5, 3), cancellation);
            await cluster.KillAsync(0, cancellation);
            await Moment.PassAsync(run.Random.Between(0, 2), cancellation);
            await cluster.ReturnAsync(0, cancellation);
            var (back, delivered) = (latencies.Now, producer.Counters.Delivered);
            var resumed = await Moment.UntilAsync(() => producer.Counters.Delivered > delivered, Limit, cancellation);
            verdict.Check(resumed is not null, $"round {round}: nothing was delivered within {Limit} of the return");
            verdict.Say(
                $"round {round}: back at {back.TotalSeconds:0.0} s, delivering {resumed?.TotalSeconds:0.0} s later; {book.Total} sent, {book.Pending} without outcome");
        }

        // 2. The end: all have their outcome.
        await stop.CancelAsync();
        await load;
        var rest = await Moment.UntilAsync(() => book.Pending == 0, Limit, cancellation);
        verdict.Check(rest is not null, $"{Limit} after the last return {book.Pending} have no outcome");
        var drained = await producer.DrainAsync(cancellationToken: cancellation);
        verdict.Check(drained.IsClean, $"the drain left {drained}");
        CounterCheck.Run(producer.Counters, book, verdict);

        // 3. The log.
        var log = await new LogReader(cluster.BootstrapServers, "restarts").ReadAsync(() => true, cancellation);
        new LogCheck(book, log, new Expectations()).Run(verdict);
    }
}
