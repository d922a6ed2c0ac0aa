using System.Diagnostics;
using System.Globalization;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Scenarios;

/// <summary>How much of a storm there is.</summary>
/// <param name="Producers">Of a process and round.</param>
/// <param name="Threads">Of a process.</param>
/// <param name="Processes">At once; 1 is this one alone.</param>
/// <param name="Rounds">How often.</param>
internal sealed record StormShape(int Producers, int Threads, int Processes, int Rounds);

/// <summary>A storm: many producers are created and disposed of at once, in one process and in several.</summary>
internal sealed class Storm(StormShape shape)
{
    private const int ThreadsKept = 40;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(30);

    /// <summary>All of it, with a broker that all use.</summary>
    public async Task RunAsync(ScenarioRun run)
    {
        await using var cluster = new EmbeddedCluster();
        await cluster.CreateTopicAsync("storm", 4, run.Cancellation);
        if (shape.Processes == 1)
        {
            await RunHereAsync(cluster.BootstrapServers, run);
            return;
        }
        var start = Stopwatch.GetTimestamp();
        var children = await Task.WhenAll(Enumerable.Range(0, shape.Processes).Select(child => ChildAsync(cluster, child, run)));
        var took = Stopwatch.GetElapsedTime(start);
        foreach (var (child, (exit, output, errors)) in children.Index())
            run.Verdict.Check(exit == 0, $"process {child} ended with {exit}: {output} {errors}");
        var all = shape.Producers * shape.Rounds * shape.Processes;
        run.Verdict.Say($"{all} producers in {shape.Processes} processes in {took.TotalSeconds:0.0} s, {all / took.TotalSeconds:0} a second; the first said: {children[0].Output}");
    }

    /// <summary>One process of it.</summary>
    public async Task RunHereAsync(string bootstrapServers, ScenarioRun run)
    {
        var verdict = run.Verdict;
        var start = Stopwatch.GetTimestamp();
        var (created, delivered, slowest) = (CreationGate.Created, 0L, TimeSpan.Zero);
        var (threads, megabytes) = (0, 0.0);
        for (var round = 1; round <= shape.Rounds; round++)
        {
            var waits = run.Random.Next();
            var ends = Enumerable.Range(0, shape.Threads).Select(thread => OnThread(thread, waits, bootstrapServers)).ToArray();
            foreach (var (count, longest) in await Task.WhenAll(ends).WaitAsync(Limit, run.Cancellation))
            {
                delivered += count;
                slowest = longest > slowest ? longest : slowest;
            }
            if (round == Math.Min(5, shape.Rounds))
                (threads, megabytes) = (ProcessWatch.Threads, ProcessWatch.ResidentMegabytes);
        }
        var took = Stopwatch.GetElapsedTime(start);
        var wanted = shape.Producers / shape.Threads * shape.Threads * shape.Rounds + shape.Producers % shape.Threads * shape.Rounds;
        var gone = await Moment.UntilAsync(() => ClientHandle.Destroying.Count == 0, EndLimit, run.Cancellation);
        verdict.Check(gone is not null, $"not destroyed within {EndLimit}: {string.Join(", ", ClientHandle.Destroying)}");
        verdict.Check(CreationGate.Created - created == wanted, $"{CreationGate.Created - created} producers were created, {wanted} wanted");
        verdict.Check(CreationGate.MostInside == 1, $"{CreationGate.MostInside} creations ran at once");
        var settled = await Moment.UntilAsync(() => ProcessWatch.Threads <= ThreadsKept + shape.Threads, EndLimit, run.Cancellation);
        verdict.Check(settled is not null, $"{ProcessWatch.Threads} threads are left");
        verdict.Say($"{wanted} producers in {took.TotalSeconds:0.0} s, {wanted / took.TotalSeconds:0} a second, slowest creation {slowest.TotalMilliseconds:0} ms with its wait; {delivered} records delivered; early in the run {threads} threads and {megabytes:0} MB, at the end {ProcessWatch.Threads} threads and {ProcessWatch.ResidentMegabytes:0} MB");
    }

    private async Task<(int Exit, string Output, string Errors)> ChildAsync(EmbeddedCluster cluster, int child, ScenarioRun run)
    {
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "KafkaChaos"),
            [
                "storm", "--child", cluster.BootstrapServers, "--producers", Text(shape.Producers), "--threads", Text(shape.Threads),
                "--rounds", Text(shape.Rounds), "--seed", Text(run.Verdict.Seed + child),
            ]);
        return await Clusters.Script.TryRunAsync(start, Limit, run.Cancellation);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private Task<(long Delivered, TimeSpan Slowest)> OnThread(int thread, int seed, string bootstrapServers)
    {
        var ended = new TaskCompletionSource<(long, TimeSpan)>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                var own = shape.Producers / shape.Threads + (thread < shape.Producers % shape.Threads ? 1 : 0);
                ended.SetResult(CreateAndDispose(own, new Random(seed + thread), bootstrapServers));
            }
            catch (Exception thrown)
            {
                ended.SetException(thrown);
            }
        })
        {
            IsBackground = true,
            Name = $"storm {thread}",
        }.Start();
        return ended.Task;
    }

    private static (long Delivered, TimeSpan Slowest) CreateAndDispose(int producers, Random random, string bootstrapServers)
    {
        var (delivered, slowest) = (0L, TimeSpan.Zero);
        for (var i = 0; i < producers; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = bootstrapServers, Linger = TimeSpan.Zero });
            var took = Stopwatch.GetElapsedTime(begun);
            slowest = took > slowest ? took : slowest;

            // Some are gone before they are connected, some while they connect, some after they sent.
            var send = random.Next(2) == 0 ? producer.SendAsync("storm", "key-0", "0.").AsTask() : null;
            if (random.Next(2) == 0)
                Thread.SpinWait(random.Next(200_000));
            producer.DisposeAsync().AsTask().GetAwaiter().GetResult();
            if (send is null)
                continue;
            var outcome = send.GetAwaiter().GetResult();
            if (outcome.Status != DeliveryStatus.Delivered)
                throw new InvalidOperationException($"The disposal did not deliver the record: {outcome}");
            delivered++;
        }
        return (delivered, slowest);
    }
}
