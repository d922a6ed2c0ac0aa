using System.Diagnostics;
using EvenKeel.Queue;
using EvenKeel.Queue.Storage;

// Durable appends by writers and record size, against the disk's own limit: a bare loop of write and fsync (fdatasync on Linux) that
// writes as many bytes at a time as the queue's groups had on average. Both run in turn, several rounds; the medians and their ratio count.
//   dotnet run -c Release --project bench/QueueBench [-- FOLDER [ROUNDS]]
var folder = Path.GetFullPath(args.Length > 0 ? args[0] : "./bench-data");
var rounds = args.Length > 1 ? int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 5;
var span = TimeSpan.FromSeconds(1.5);

Console.WriteLine($"{rounds} rounds of {span.TotalSeconds} s each, in {folder}; medians");
Console.WriteLine("writers  record    appends/s      MB/s  records/group  disk limit MB/s  ratio  bytes allocated/append");
foreach (var writers in new[] { 1, 16, 64 })
{
    foreach (var size in new[] { 64, 256, 4096, 65536 })
    {
        var runs = new List<QueueRun>();
        var limits = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var run = await RunQueueAsync(folder, writers, size, span);
            runs.Add(run);
            limits.Add(RunDisk(folder, (int)run.BytesPerGroup, span));
        }
        var megabytes = Median(runs.Select(r => r.DiskBytesPerSecond)) / 1e6;
        var limit = Median(limits) / 1e6;
        Console.WriteLine($"{writers,7} {size,7} {Median(runs.Select(r => r.AppendsPerSecond)),12:N0} {megabytes,9:0.0} "
            + $"{Median(runs.Select(r => r.RecordsPerGroup)),14:0.0} {limit,16:0.0} {megabytes / limit,6:0.00} "
            + $"{Median(runs.Select(r => r.AllocatedPerAppend)),23:0}");
    }
}
return 0;

static double Median(IEnumerable<double> values)
{
    var sorted = values.Order().ToArray();
    return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
}

static async Task<QueueRun> RunQueueAsync(string folder, int writers, int size, TimeSpan span)
{
    if (Directory.Exists(folder))
        Directory.Delete(folder, recursive: true);
    await using var queue = DurableQueue.Open(new DurableQueueOptions { Directory = folder, MaxBytes = 64L << 30 });
    var record = new byte[size];
    new Random(1).NextBytes(record);
    for (var warm = 0; warm < 200; warm++)
        await queue.AppendAsync(record);
    var before = queue.Times;
    var allocated = GC.GetTotalAllocatedBytes();
    var clock = Stopwatch.StartNew();
    var counts = await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(async () =>
    {
        var count = 0L;
        for (; clock.Elapsed < span; count++)
            await queue.AppendAsync(record);
        return count;
    })));
    var seconds = clock.Elapsed.TotalSeconds;
    double appends = counts.Sum(), groups = queue.Times.Groups - before.Groups, bytes = queue.Times.Bytes - before.Bytes;
    return new QueueRun(appends / seconds, bytes / seconds, appends / groups, bytes / groups,
        (GC.GetTotalAllocatedBytes() - allocated) / appends);
}

static double RunDisk(string folder, int bytes, TimeSpan span)
{
    // Files of a segment's length, begun anew at their end, on the disk space that the queue has just left: the same work for the disk.
    const long SegmentBytes = 64L << 20;
    Directory.Delete(folder, recursive: true);
    var storage = new FileStorage(folder, create: true);
    var block = new byte[bytes];
    new Random(2).NextBytes(block);
    long total = 0;
    var clock = Stopwatch.StartNew();
    for (var n = 0; clock.Elapsed < span; n++)
    {
        using var file = storage.Create($"limit-{n}");
        for (long offset = 0; offset < SegmentBytes && clock.Elapsed < span; offset += bytes, total += bytes)
        {
            file.Write(block, offset);
            file.Sync();
        }
    }
    return total / clock.Elapsed.TotalSeconds;
}

internal sealed record QueueRun(
    double AppendsPerSecond, double DiskBytesPerSecond, double RecordsPerGroup, double BytesPerGroup, double AllocatedPerAppend);
