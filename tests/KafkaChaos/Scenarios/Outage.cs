using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>
/// The only broker is away for longer than the delivery time-out, under a steady load: all goes to disk and is acknowledged from there,
/// memory stays flat, and the replay is soon done when the broker is back, with the load going on.
/// </summary>
internal sealed class Outage(TimeSpan away, int recordsASecond)
{
    private const int Partitions = 8;
    private const int Keys = 64;
    private const int Senders = 8;
    private const string Topic = "outage";

    // The book of the run itself grows by 30 MB in three minutes at 2,000 records a second; the records would be 150 MB.
    private const double MostGrowthMegabytes = 64;
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ReplayLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using var cluster = await RealCluster.StartAsync(KafkaHome.Require(), cancellation);
        await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
        var book = new RecordBook(Keys);
        var latencies = new LatencyLog();
        await using var watch = new ProcessWatch();
        var options = new ProducerOptions { BootstrapServers = cluster.BootstrapServers, DeliveryTimeout = TimeSpan.FromSeconds(30) };
        await using var subject = new SpillSubject(options, Path.Combine(run.Folder, "spill"), SpillAcknowledgement.Disk);
        await subject.Producer.WarmUpAsync([Topic], ReplayLimit, cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var load = new Load(subject.Producer, Topic, book, latencies).RunAsync(new LoadShape(Senders, recordsASecond), stop.Token);

        // 1. The outage.
        await Moment.PassAsync(Before, cancellation);
        await cluster.KillAsync(0, cancellation);
        var gone = watch.Now;
        await Moment.PassAsync(away, cancellation);
        var (early, late) = (watch.MedianMegabytes(gone + away / 6, gone + away / 3), watch.MedianMegabytes(gone + away * 5 / 6, watch.Now));
        verdict.Say($"away for {away.TotalSeconds:0} s: {subject.Producer.Counters.SpillRecords} records and {subject.Producer.Counters.SpillBytes / 1048576.0:0} MB in the spill; memory {early:0} MB early, {late:0} MB late; {book.Pending} without outcome; p99 of a send in the middle {latencies.Percentile(0.99, (int)gone.TotalSeconds + 10, (int)watch.Now.TotalSeconds - 5):0} ms");
        verdict.Check(late - early < MostGrowthMegabytes, $"memory grew from {early:0} MB to {late:0} MB while the broker was away");
        verdict.Check(subject.Producer.State == SpillState.Spilling, $"the state is {subject.Producer.State} with the broker away");

        // 2. The return, with the load going on.
        await cluster.ReturnAsync(0, cancellation);
        var replayed = await Moment.UntilAsync(() => subject.IsAtRest, Limit, cancellation);
        verdict.Say($"replayed {replayed?.TotalSeconds:0.0} s after the return: {subject.Producer.Counters}");
        verdict.Check(replayed <= ReplayLimit, $"the replay was not done within {ReplayLimit} of the return but after {replayed}");
        await Moment.PassAsync(After, cancellation);

        // 3. The end.
        await stop.CancelAsync();
        await load;
        await Moment.UntilAsync(() => book.Pending == 0 && subject.IsAtRest, Limit, cancellation);
        verdict.Check(book.Pending == 0, $"{book.Pending} have no outcome");
        verdict.Check(book.Count(Fate.Refused) + book.Count(Fate.Unknown) == 0, $"an error reached a caller: {book.Reasons}");
        subject.Check(book, verdict);
        verdict.Say($"memory at most {watch.MostMegabytes:0} MB, {ProcessWatch.Threads} threads");
        var log = await new LogReader(cluster.BootstrapServers, Topic).ReadAsync(() => true, cancellation);
        new LogCheck(book, log, Expectations.OfASpill with { MostDoubles = subject.Producer.Counters.SentAgain }).Run(verdict);
    }
}
