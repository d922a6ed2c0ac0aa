using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>The only broker is killed and brought back under load, again and again.</summary>
internal sealed class Restarts(int rounds, int recordsASecond, bool isEmbedded, bool isSpilling)
{
    private const string Topic = "restarts";
    private const int Partitions = 8;
    private const int Keys = 64;
    private const int Senders = 8;
    private const int MostPending = 40_000;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public async Task RunAsync(ScenarioRun run)
    {
        var cancellation = run.Cancellation;
        await using ICluster cluster = isEmbedded ? new EmbeddedCluster() : await RealCluster.StartAsync(KafkaHome.Require(), cancellation);
        await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
        var options = new ProducerOptions { BootstrapServers = cluster.BootstrapServers };
        var (book, expected) = (new RecordBook(Keys), new Expectations());
        if (isSpilling)
        {
            // Who waits for the broker is told the truth in each case: delivered.
            await using var subject = new SpillSubject(options, Path.Combine(run.Folder, "spill"), SpillAcknowledgement.Broker);
            await subject.Producer.WarmUpAsync([Topic], Limit, cancellation);
            await BreakAsync(run, cluster, subject.Producer, book, () => subject.Producer.Counters is var now ? now.Direct + now.Replayed : 0);
            var rest = await Moment.UntilAsync(() => subject.IsAtRest, Limit, cancellation);
            run.Verdict.Check(rest is not null, $"{Limit} after the end the spill is not empty: {subject.Producer.Counters}");
            subject.Check(book, run.Verdict);
            expected = Expectations.OfASpill with { MostDoubles = subject.Producer.Counters.SentAgain };
        }
        else
        {
            await using var producer = new ReliableProducer(options);
            await producer.WarmUpAsync([Topic], Limit, cancellation);
            await BreakAsync(run, cluster, producer, book, () => producer.Counters.Delivered);
            var drained = await producer.DrainAsync(cancellationToken: cancellation);
            run.Verdict.Check(drained.IsClean, $"the drain left {drained}");
            CounterCheck.Run(producer.Counters, book, run.Verdict);
        }
        run.Verdict.Check(
            book.Count(Fate.Delivered) == book.Total, $"{book.Count(Fate.Delivered)} of {book.Total} delivered: {book.Reasons}");
        var log = await new LogReader(cluster.BootstrapServers, Topic).ReadAsync(() => true, cancellation);
        new LogCheck(book, log, expected).Run(run.Verdict);
    }

    private async Task BreakAsync(ScenarioRun run, ICluster cluster, IRecordProducer producer, RecordBook book, Func<long> delivered)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        var latencies = new LatencyLog();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var load = new Load(producer, Topic, book, latencies).RunAsync(new LoadShape(Senders, recordsASecond), stop.Token);

        // 1. Kill and bring back, at moments of the seed.
        for (var round = 1; round <= rounds; round++)
        {
            await Moment.PassAsync(run.Random.Between(0.5, 3), cancellation);
            await cluster.KillAsync(0, cancellation);
            await Moment.PassAsync(run.Random.Between(0, 5), cancellation);
            await cluster.ReturnAsync(0, cancellation);
            var (back, before) = (latencies.Now, delivered());
            var resumed = await Moment.UntilAsync(() => delivered() > before, Limit, cancellation);
            verdict.Check(resumed is not null, $"round {round}: nothing was delivered within {Limit} of the return");

            // A spilling producer refuses, by its bound, more than 100,000 who wait for the broker: the next kill waits for the replay.
            var calm = await Moment.UntilAsync(() => book.Pending < MostPending, Limit, cancellation);
            verdict.Check(calm is not null, $"round {round}: {book.Pending} are without outcome {Limit} after the return");
            verdict.Say(
                $"round {round}: back at {back.TotalSeconds:0.0} s, delivering {resumed?.TotalSeconds:0.0} s later; {book.Total} sent, {book.Pending} without outcome");
        }

        // 2. The end: all have their outcome.
        await stop.CancelAsync();
        await load;
        var rest = await Moment.UntilAsync(() => book.Pending == 0, Limit, cancellation);
        verdict.Check(rest is not null, $"{Limit} after the last return {book.Pending} have no outcome");
    }
}
