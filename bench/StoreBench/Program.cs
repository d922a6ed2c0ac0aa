using System.Diagnostics;
using System.Globalization;
using System.Text;
using MetricStream.Queueing;
using MetricStream.Storing;

// Batches of 3 metrics a second into a fresh store, one writer alone, by number of series and batches per transaction.
// Bodies are made beforehand, as intake posts them; the process's CPU time beside the wall time tells computing from waiting for the disk.
//   dotnet run -c Release --project bench/StoreBench [-- SECONDS_PER_CASE [FOLDER]]

var seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 4;
var folder = Directory.CreateDirectory(args.Length > 1 ? args[1] : Path.Combine(
    Path.GetTempPath(), $"store-bench-{Environment.ProcessId}"));
try
{
    _ = Measure(60, 500, 1, folder.FullName);
    Console.WriteLine("| series | batches/transaction | batches/s | us/batch | CPU us/batch | KB allocated/batch | "
        + "file bytes/batch | expiry step ms, mean / longest |");
    Console.WriteLine("|---|---|---|---|---|---|---|---|");
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
    var bodies = Bodies(series);
    using var store = SqliteMetricStore.Open(path);
    var records = new List<StoreRecord>(batchesPerTransaction);
    var position = 0L;
    var arrived = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
    var inStore = new Stopwatch();
    var cpu = TimeSpan.Zero;
    var allocated = 0L;
    while (inStore.Elapsed.TotalSeconds < seconds)
    {
        records.Clear();
        for (var i = 0; i < batchesPerTransaction; i++, position++)
        {
            var client = $"client-{position % 64}";
            var id = Guid.CreateVersion7().ToString("N");
            var batch = new BatchRecord(
                BatchRecordKind.Batch, arrived + position / 50, 3, Encoding.ASCII.GetBytes(client), Encoding.ASCII.GetBytes(id),
                bodies[(int)(position % bodies.Length)]);
            records.Add(new StoreRecord(position, batch, batch.Body));
        }

        var cpuBefore = Environment.CpuUsage.TotalTime;
        var allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        inStore.Start();
        store.Write(new StoreTransaction("file:bench", position, 0, records));
        inStore.Stop();
        cpu += Environment.CpuUsage.TotalTime - cpuBefore;
        allocated += GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
    }

    var bytes = new FileInfo(path).Length;
    var (steps, total, longest) = ExpireAll(store);
    return string.Create(
        CultureInfo.InvariantCulture,
        $"| {series} | {batchesPerTransaction} | {position / inStore.Elapsed.TotalSeconds:N0} | " +
        $"{inStore.Elapsed.TotalMicroseconds / position:N1} | " +
        $"{cpu.TotalMicroseconds / position:N1} | {allocated / 1024.0 / position:N2} | {bytes / position} | " +
        $"{total.TotalMilliseconds / steps:N1} / {longest.TotalMilliseconds:N0} |");
}

// Everything is too old: each step of the retention's size holds the writer for so long.
static (int Steps, TimeSpan Total, TimeSpan Longest) ExpireAll(SqliteMetricStore store)
{
    var (steps, total, longest) = (0, TimeSpan.Zero, TimeSpan.Zero);
    ExpiryStep step;
    do
    {
        var start = Stopwatch.GetTimestamp();
        step = store.Expire(long.MaxValue, long.MaxValue, Retention.RowsPerStep);
        var elapsed = Stopwatch.GetElapsedTime(start);
        (steps, total, longest) = (steps + 1, total + elapsed, elapsed > longest ? elapsed : longest);
    }
    while (step.More && steps < 500);
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
