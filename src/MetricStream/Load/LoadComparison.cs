using System.Globalization;
using EvenKeel.Kafka;
using MetricStream.Kafka;

namespace MetricStream.Load;

/// <summary>What is compared: the queues, and the load that each gets.</summary>
/// <param name="Queues">file, kafka.</param>
/// <param name="Clients">One load for each number of connections.</param>
/// <param name="Requests">Batches a client.</param>
/// <param name="Metrics">Metrics a batch.</param>
/// <param name="VerifyWithin">How long a queue may take to empty before its batches are checked.</param>
/// <param name="KafkaArguments">What the server with its queue in Kafka is told of the cluster.</param>
/// <param name="Cluster">The same, read: there the topic is removed afterwards.</param>
internal sealed record ComparisonOptions(
    IReadOnlyList<string> Queues, IReadOnlyList<int> Clients, int Requests, int Metrics, TimeSpan VerifyWithin,
    IReadOnlyList<string> KafkaArguments, KafkaOptions? Cluster)
{
    public const string File = "file";
    public const string Kafka = "kafka";

    /// <summary>Every violation, with the option, the value and the fix.</summary>
    public IEnumerable<string> Validate()
    {
        if (Queues.Count == 0 || Queues.Any(queue => queue is not (File or Kafka)) || Queues.Distinct().Count() < Queues.Count)
            yield return $"--compare '{string.Join(',', Queues)}' names no queues: write file, kafka, or file,kafka.";
        if (Queues.Contains(Kafka) && Cluster is null && KafkaArguments.Count == 0)
            yield return "--compare with kafka needs --bootstrap-servers: host:port of a broker or more.";
        foreach (var clients in Clients)
        {
            foreach (var violation in new LoadShape(clients, Requests, Metrics, null, null).Validate(isSearch: false))
                yield return violation;
        }
    }
}

/// <summary>
/// The comparison puts the same load on a server of its own for each queue, checks every batch, and prints the figures side by side.
/// </summary>
internal sealed class LoadComparison(ComparisonOptions options, OwnServerCommand command, TextWriter output, TextWriter errors)
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);

    /// <summary>The exit code: 0, 1 a request failed or a batch is missing or doubled, 2 a server did not start or cannot be verified,
    /// 130 interrupted.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var isClean = true;
        try
        {
            output.WriteLine(Row(
                "queue", "clients", "requests", "success", "requests/s", "metrics/s", "mean", "p50", "p99", "max", "stored once"));
            foreach (var queue in options.Queues)
            {
                isClean &= queue == ComparisonOptions.File
                    ? await CompareAsync(queue, ["--queue", "file"], cancellation) : await CompareInKafkaAsync(cancellation);
            }
            return isClean ? 0 : 1;
        }
        catch (UnverifiableException stopped)
        {
            errors.WriteLine(stopped.Message);
            return 2;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            errors.WriteLine("interrupted: what was measured is above");
            return 130;
        }
    }

    private async Task<bool> CompareAsync(string queue, IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        var isClean = true;
        // 1. A server of its own, on a free port, with a folder that goes with it.
        await using var server = await OwnServer.StartAsync(command, arguments, cancellation);
        foreach (var clients in options.Clients)
        {
            // 2. The load, then the check of every batch.
            var (line, held) = await MeasureAsync(queue, server.Url, clients, cancellation);
            output.WriteLine(line);
            isClean &= held;
        }
        return isClean;
    }

    // A topic of its own, which goes when the server has gone, however that ended; and a group of its own, or members of the real one would
    // be rebalanced. Kafka removes a group whose members and topics are gone.
    private async Task<bool> CompareInKafkaAsync(CancellationToken cancellation)
    {
        var topic = $"metrics-compare-{Guid.NewGuid():n}";
        try
        {
            return await CompareAsync(
                ComparisonOptions.Kafka, ["--queue", "kafka", "--topic", topic, "--group", topic, .. options.KafkaArguments],
                cancellation);
        }
        finally
        {
            await RemoveAsync(topic);
        }
    }

    private async Task RemoveAsync(string topic)
    {
        if (options.Cluster is not { } cluster)
            return;
        try
        {
            await TopicRemoval.RemoveAsync(cluster, [topic, (cluster with { Topic = topic }).DeadLetters], CancellationToken.None);
        }
        catch (KafkaException refused)
        {
            errors.WriteLine($"The topic '{topic}' is left on the cluster: {refused.Message} Remove it with Kafka's own tools.");
        }
    }

    private async Task<(string Line, bool IsClean)> MeasureAsync(string queue, Uri url, int clients, CancellationToken cancellation)
    {
        var target = new LoadTarget(url, null, null, RequestTimeout);
        var shape = new LoadShape(clients, options.Requests, options.Metrics, null, null);
        var book = new OutcomeBook(OutcomeBook.NewRunId(), clients);
        using var api = new ServerApi(target);
        var verification = new Verification(target, book, options.Metrics, api, static _ => { });
        var before = await verification.CheckServerAsync(cancellation);
        var (result, _) = await new LoadRun(target, shape, book.RunId, book).RunAsync(TimeSpan.Zero, static (_, _) => { }, cancellation);
        cancellation.ThrowIfCancellationRequested();
        var report = await verification.RunAsync(before, options.VerifyWithin, cancellation);
        var latency = result.Tally.Latency;
        var line = Row(
            queue, Number(clients), Number(result.Tally.Finished), string.Create(CultureInfo.InvariantCulture, $"{result.SuccessRate:P2}"),
            Number((long)result.RequestsPerSecond), Number((long)result.MetricsPerSecond), LoadReport.Show(latency.Mean),
            LoadReport.Show(latency.Percentile(50)), LoadReport.Show(latency.Percentile(99)), LoadReport.Show(latency.Max),
            report.IsClean ? $"all {Number(report.Found)}" : string.Join(' ', report.Named));
        return (line, report.IsClean && result.Tally.Failed == 0);
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Row(params string[] cells) =>
        cells[0].PadRight(6) + string.Concat(cells[1..^1].Select(cell => cell.PadLeft(11))) + "  " + cells[^1];
}
