using System.Diagnostics;
using System.Globalization;
using KafkaChaos;
using KafkaChaos.Clusters;

namespace Chaos.Kafka;

/// <summary>
/// MetricStream with its queue in a real Kafka, under load while brokers, servers and the database are killed. At the end every batch that
/// was acknowledged is stored once, the conservation law holds, and nobody saw an error whose server lived.
/// </summary>
internal sealed class KafkaRun(KafkaShape shape, int seed, Action<string> print)
{
    // What a server keeps of a batch beyond the batch itself is bounded: its caches fill in the first minutes.
    private const double MostGrowthMegabytes = 128;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(20);

    private readonly Random _random = new(seed);
    private readonly List<string> _violations = [];

    /// <summary>Every violation; empty when all held.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancellation)
    {
        await using var cluster = await RealCluster.StartAsync(
            KafkaHome.Require(), cancellation, "--nodes", $"{shape.Nodes}",
            "--property", "group.initial.rebalance.delay.ms=0");
        await using var database = shape.IsPostgres ? await PostgresServer.StartAsync(cancellation) : null;
        var servers = Enumerable.Range(1, shape.Servers)
            .Select(n => new ServerLives(shape, $"server {n}", Options(cluster, database), _random.Next())).ToList();
        try
        {
            // 1. Load and faults, for a time; then all faults are over.
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            end.CancelAfter(shape.Duration);
            var lives = servers.Select(server => server.RunAsync(end.Token, cancellation)).ToList();
            await Task.WhenAll([
                .. lives,
                shape.Faults.HasFlag(Faults.Brokers) ? KillBrokersAsync(cluster, end.Token) : Task.CompletedTask,
                shape.Faults.HasFlag(Faults.Outage) ? TakeBrokersAwayAsync(cluster, end.Token) : Task.CompletedTask,
                shape.Faults.HasFlag(Faults.Database) ? KillDatabaseAsync(database!, end.Token) : Task.CompletedTask]);

            // 2. What one server acknowledged another may store: all are at rest first. 3. Every batch, on every server; then the sums.
            await WaitForRestAsync(servers, cancellation);
            var (listed, stored) = (0L, 0L);
            foreach (var server in servers)
            {
                var (here, counted) = await server.VerifyAsync(print, cancellation);
                (listed, stored) = (listed + here, stored + counted);
                _violations.AddRange(server.Violations);
                CheckMemory(server);
            }
            if (listed != stored)
                _violations.Add($"{stored} batches are counted as stored, {listed} are listed.");
            print($"{servers.Sum(server => server.Acknowledged)} acknowledged, {stored} stored");
            return _violations;
        }
        finally
        {
            servers.ForEach(server => server.Dispose());
        }
    }

    private static string[] Options(RealCluster cluster, PostgresServer? database) =>
    [
        "--queue", "kafka", "--bootstrap-servers", cluster.BootstrapServers,
        .. database is null ? Array.Empty<string>() : ["--store", "postgres", "--postgres", database.Connection],
    ];

    private async Task KillBrokersAsync(RealCluster cluster, CancellationToken end)
    {
        var kills = 0;
        while (await PassAsync(Pause, end))
        {
            var node = _random.Next(cluster.Nodes);
            await cluster.KillAsync(node, CancellationToken.None);
            await PassAsync(_random.Between(1, 8), end);
            await cluster.ReturnAsync(node, CancellationToken.None);
            kills++;
        }
        print($"{kills} brokers were killed and came back");
    }

    private async Task TakeBrokersAwayAsync(RealCluster cluster, CancellationToken end)
    {
        await PassAsync(Pause, end);
        for (var node = 0; node < cluster.Nodes; node++)
            await cluster.KillAsync(node, CancellationToken.None);
        var away = shape.Duration - Pause - Pause;
        await PassAsync(away, end);
        for (var node = 0; node < cluster.Nodes; node++)
            await cluster.ReturnAsync(node, CancellationToken.None);
        print($"the brokers were away for {away.TotalSeconds:0} s");
    }

    private async Task KillDatabaseAsync(PostgresServer database, CancellationToken end)
    {
        var away = shape.Duration / 4 < TimeSpan.FromMinutes(1) ? shape.Duration / 4 : TimeSpan.FromMinutes(1);
        await PassAsync(shape.Duration / 4, end);
        await database.KillAsync(CancellationToken.None);
        await PassAsync(away, end);
        await database.ReturnAsync(CancellationToken.None);
        print($"the database was away for {away.TotalSeconds:0} s");
    }

    private static async Task WaitForRestAsync(List<ServerLives> servers, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        foreach (var server in servers)
        {
            // Who does not come to rest is told by its verification.
            while (!await server.IsAtRestAsync(cancellation) && Stopwatch.GetElapsedTime(start) < ServerLives.EmptyLimit)
                await Moment.PassAsync(TimeSpan.FromMilliseconds(100), cancellation);
        }
    }

    private void CheckMemory(ServerLives server)
    {
        var (early, late) = (server.ResidentMegabytes(0.3, 0.5), server.ResidentMegabytes(0.8, 1));
        if (late == 0)
            return;
        print(string.Create(CultureInfo.InvariantCulture, $"memory {early:0} MB early, {late:0} MB late"));
        if (late - early > MostGrowthMegabytes)
            _violations.Add($"memory grew from {early:0} MB to {late:0} MB");
    }

    /// <returns>Whether the run still goes on.</returns>
    private static async Task<bool> PassAsync(TimeSpan time, CancellationToken end)
    {
        await Moment.PassAsync(time, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !end.IsCancellationRequested;
    }
}
