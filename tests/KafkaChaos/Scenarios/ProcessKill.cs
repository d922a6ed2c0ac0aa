using System.Diagnostics;
using System.Globalization;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using KafkaChaos.Checks;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>
/// A process with a spilling producer is killed under load, again and again, while the broker comes and goes. Each next process finds the
/// spill of the one before. What any of them was told is in the log at the end.
/// </summary>
internal sealed class ProcessKill(int rounds, int recordsASecond, bool isEmbedded)
{
    private const string Topic = "processkill";
    private const int Partitions = 8;
    private const int Keys = 32;
    private const int Senders = 4;
    private const int RecordsOfAKey = 1 << 18;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using ICluster cluster = isEmbedded ? new EmbeddedCluster() : await RealCluster.StartAsync(KafkaHome.Require(), cancellation);
        await cluster.CreateTopicAsync(Topic, Partitions, cancellation);
        using var file = new BookFile(BookPath(run.Folder), Keys, RecordsOfAKey);
        var moments = new Random(run.Random.Next());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var flaps = FlapAsync(cluster, moments, stop.Token);

        // 1. Start, let it be told something, kill.
        for (var round = 1; round <= rounds && verdict.IsHeld; round++)
            await RoundAsync(cluster, file, round, run);

        // 2. The broker stays; the last process sends what is left.
        await stop.CancelAsync();
        var flapped = await flaps;
        await using var subject = new SpillSubject(Options(cluster.BootstrapServers), SpillPath(run.Folder), SpillAcknowledgement.Disk);
        var left = subject.Producer.Counters.SpillRecords;
        var replayed = await Moment.UntilAsync(() => subject.IsAtRest, Limit, cancellation);
        verdict.Check(replayed is not null, $"the spill is not empty after {Limit}: {subject.Producer.Counters}");
        subject.CheckQuiet(verdict);

        // 3. The log.
        var log = await new LogReader(cluster.BootstrapServers, Topic).ReadAsync(() => true, cancellation);
        var book = file.Read();
        verdict.Say($"{rounds} kills, the broker was away {flapped} times; the last process found {left} in the spill, sent after {replayed?.TotalSeconds:0.0} s");
        verdict.Check(book.Count(Fate.Refused) + book.Count(Fate.Unknown) == 0, $"an error reached a caller");
        new LogCheck(book, log, Expectations.OfASpill).Run(verdict);
    }

    /// <summary>The process that is killed.</summary>
    public static async Task RunChildAsync(string bootstrapServers, string folder, int recordsASecond, CancellationToken cancellation)
    {
        using var file = new BookFile(BookPath(folder), Keys, RecordsOfAKey);
        var book = new RecordBook(Keys, file);
        for (var key = 0; key < Keys; key++)
            book[key].SkipTo(file.Count(key));
        await using var subject = new SpillSubject(Options(bootstrapServers), SpillPath(folder), SpillAcknowledgement.Disk);
        await new Load(subject.Producer, Topic, book, new LatencyLog()).RunAsync(new LoadShape(Senders, recordsASecond), cancellation);
    }

    private static ProducerOptions Options(string bootstrapServers) => new() { BootstrapServers = bootstrapServers };

    private static string BookPath(string folder) => Path.Combine(folder, "book");

    private static string SpillPath(string folder) => Path.Combine(folder, "spill");

    private async Task RoundAsync(ICluster cluster, BookFile file, int round, ScenarioRun run)
    {
        var before = file.Acknowledged;
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "KafkaChaos"),
            [
                "processkill", "--child", cluster.BootstrapServers, "--folder", run.Folder, "--rate",
                recordsASecond.ToString(CultureInfo.InvariantCulture),
            ])
        {
            RedirectStandardError = true,
        };
        using var child = Process.Start(start)!;
        var errors = child.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            var told = await Moment.UntilAsync(() => child.HasExited || file.Acknowledged > before, Limit, run.Cancellation);
            run.Verdict.Check(told is not null, $"round {round}: nothing was acknowledged within {Limit}");
            var moment = run.Random.Between(0.02, 2.5);
            await Moment.PassAsync(moment, run.Cancellation);
            run.Verdict.Check(!child.HasExited, $"round {round}: the process ended by itself");
            run.Verdict.Say($"round {round}: killed {moment.TotalSeconds:0.00} s after its first word; {file.Acknowledged - before} acknowledged");
        }
        finally
        {
            child.Kill();
            await child.WaitForExitAsync(CancellationToken.None);
        }
        var printed = await errors;
        run.Verdict.Check(printed.Length == 0, $"round {round}: the process printed {printed}");
    }

    private static async Task<int> FlapAsync(ICluster cluster, Random moments, CancellationToken stop)
    {
        for (var flaps = 0; ; flaps++)
        {
            try
            {
                await Moment.PassAsync(moments.Between(2, 12), stop);
            }
            catch (OperationCanceledException)
            {
                // The broker is there and stays.
                return flaps;
            }
            await cluster.KillAsync(0, CancellationToken.None);
            await Moment.PassAsync(moments.Between(0, 8), CancellationToken.None);
            await cluster.ReturnAsync(0, CancellationToken.None);
        }
    }
}
