using System.Diagnostics;
using System.Globalization;
using System.Text;
using MetricStream.Queueing;
using MetricStream.Storing;

// Batches of 3 metrics a second into a fresh store, one writer alone, by number of series and batches per transaction; then the roll-ups of
// what was written, and batches whose every sample comes late for them, at most so many as before.
// Bodies are made beforehand, as intake posts them; the process's CPU time beside the wall time tells computing from waiting for the disk.
//   dotnet run -c Release --project bench/StoreBench [-- SECONDS_PER_CASE [FOLDER]]

var seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 4;
var folder = Directory.CreateDirectory(args.Length > 1 ? args[1] : Path.Combine(
    Path.GetTempPath(), $"store-bench-{Environment.ProcessId}"));
try
{
    _ = Measure(60, 500, 1, folder.FullName);
    Console.WriteLine("| series | batches/transaction | batches/s | us/batch | CPU us/batch | KB allocated/batch | "
        + "file bytes/batch | roll-up us/batch | roll-up step ms, mean / longest | late batches/s | expiry step ms, mean / longest |");
    Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
    foreach (var series in (int[])[60, 10_000])
    {
        foreach (var size in (int[])[500, 5_000])
            Console.WriteLine(Measure(series, size, seconds, folder.FullName));
    }
}
finally
{
    folder.Delete(recursive: true);
}

static string Measure(int series, int batchesPerTransaction, double seconds, string folder)
{
    var path = Path.Combine(folder, $"{series}-{batchesPerTransaction}.db");
    using var store = SqliteMetricStore.Open(path);
    var load = new Load(store, Bodies(series), batchesPerTransaction);
    var cpu = Environment.CpuUsage.TotalTime;
    var allocated = GC.GetAllocatedBytesForCurrentThread();
    var inStore = load.Write(TimeSpan.FromSeconds(seconds), int.MaxValue);
    cpu = Environment.CpuUsage.TotalTime - cpu - load.Making;
    var batches = load.Position;
    allocated = GC.GetAllocatedBytesForCurrentThread() - allocated - load.MakingBytes;
    var bytes = new FileInfo(path).Length;
    var (rollUps, rollingUp, longestRollUp) = Steps(() => store.RollUp(load.Now + Rollup.Hour, RollupRounds.SamplesPerStep).More);
    var late = load.Write(TimeSpan.FromSeconds(seconds), batches);
    var lateRate = (load.Position - batches) / late.TotalSeconds;
    // Everything is too old: each step of the retention's size holds the writer for so long.
    var (steps, total, longest) = Steps(() => store.Expire(long.MaxValue, long.MaxValue, Retention.RowsPerStep).More);
    return string.Create(
        CultureInfo.InvariantCulture,
        $"| {series} | {batchesPerTransaction} | {batches / inStore.TotalSeconds:N0} | {inStore.TotalMicroseconds / batches:N1} | " +
        $"{cpu.TotalMicroseconds / batches:N1} | {allocated / 1024.0 / batches:N2} | {bytes / batches} | " +
        $"{rollingUp.TotalMicroseconds / batches:N1} | {rollingUp.TotalMilliseconds / rollUps:N1} / {longestRollUp.TotalMilliseconds:N0} | " +
        $"{lateRate:N0} | {total.TotalMilliseconds / steps:N1} / {longest.TotalMilliseconds:N0} |");
}

static (int Steps, TimeSpan Total, TimeSpan Longest) Steps(Func<bool> step)
{
    var (steps, total, longest) = (0, TimeSpan.Zero, TimeSpan.Zero);
    bool more;
    do
    {
        var start = Stopwatch.GetTimestamp();
        more = step();
        var elapsed = Stopwatch.GetElapsedTime(start);
        (steps, total, longest) = (steps + 1, total + elapsed, elapsed > longest ? elapsed : longest);
    }
    while (more && steps < 2000);
    return (steps, total, longest);
}

static byte[][] Bodies(int series)
{
    // Each host sends three series; consecutive batches come from different hosts.
    var hosts = series / 3;
    var bodies = new byte[hosts][];
    for (var host = 0; host < hosts; host++)
    {
        bodies[host] = Encoding.UTF8.GetBytes(
            $$$"""
            {"metrics":[{"name":"cpu_usage","value":{{{host % 100}}}.5,"type":"gauge","tags":{"host":"web-{{{host}}}","zone":"b"}},
             {"name":"memory_usage","value":{{{host}}}048.25,"type":"gauge","tags":{"host":"web-{{{host}}}","zone":"b"}},
             {"name":"requests_total","value":{{{host}}}123,"type":"counter","tags":{"host":"web-{{{host}}}","zone":"b"}}]}
            """);
    }

    return bodies;
}

/// <summary>Batches as intake posts them, written into one store.</summary>
internal sealed class Load(SqliteMetricStore store, byte[][] bodies, int batchesPerTransaction)
{
    private readonly long _begin = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    public long Position { get; private set; }

    public long Now => _begin + Position / 50;

    /// <summary>What making the records cost, apart from the store.</summary>
    public TimeSpan Making { get; private set; }

    public long MakingBytes { get; private set; }

    /// <summary>Writes for so long, or so many more; the time in the store.</summary>
    public TimeSpan Write(TimeSpan atMost, long batches)
    {
        var records = new List<StoreRecord>(batchesPerTransaction);
        var inStore = new Stopwatch();
        for (var first = Position; inStore.Elapsed < atMost && Position - first < batches;)
        {
            var (cpu, allocated) = (Environment.CpuUsage.TotalTime, GC.GetAllocatedBytesForCurrentThread());
            records.Clear();
            // The second time the samples lie where the first ones did.
            for (var i = 0; i < batchesPerTransaction; i++, Position++)
            {
                var id = Guid.CreateVersion7().ToString("N");
                var batch = new BatchRecord(
                    BatchRecordKind.Batch, _begin + (Position - first) / 50, 3, Encoding.ASCII.GetBytes($"client-{Position % 64}"),
                    Encoding.ASCII.GetBytes(id), bodies[(int)(Position % bodies.Length)]);
                records.Add(new StoreRecord(Position, batch, batch.Body));
            }

            Making += Environment.CpuUsage.TotalTime - cpu;
            MakingBytes += GC.GetAllocatedBytesForCurrentThread() - allocated;
            inStore.Start();
            store.Write(new StoreTransaction("file:bench", Position, 0, records));
            inStore.Stop();
        }

        return inStore.Elapsed;
    }
}
