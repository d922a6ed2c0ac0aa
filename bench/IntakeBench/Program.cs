using System.Globalization;
using IntakeBench;

// Durable intake of batches of three metrics against an endpoint that parses the same JSON and keeps nothing: the same wrk, the same
// connections, in turn, several rounds, medians. The store works meanwhile; how many batches it took is printed. Needs wrk.
//   dotnet run -c Release --project bench/IntakeBench [-- FOLDER [ROUNDS [SECONDS]]]
if (args is ["keep-nothing", var peerPort])
{
    await KeepNothing.RunAsync(int.Parse(peerPort, CultureInfo.InvariantCulture));
    return 0;
}
var folder = Path.GetFullPath(args.Length > 0 ? args[0] : "./bench-data");
var rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 5;
var seconds = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 5;
if (Directory.Exists(folder))
    Directory.Delete(folder, recursive: true);
Directory.CreateDirectory(folder);
var script = Path.Combine(folder, "post.lua");
await File.WriteAllTextAsync(script, Load.WrkScript);

var here = AppContext.BaseDirectory;
using var server = ServerProcess.Start(
    Path.Combine(here, "MetricStream.dll"), $"serve --port 0 --data \"{Path.Combine(folder, "data")}\"");
using var peer = ServerProcess.Start(Path.Combine(here, "IntakeBench.dll"), $"keep-nothing {ServerProcess.FreePort()}");
var ours = await server.AddressAsync();
var theirs = await peer.AddressAsync();

Console.WriteLine($"{rounds} rounds of {seconds} s each; medians; batches of 3 metrics, {Load.Batch.Length} bytes; "
    + $"wrk with one thread on the same {Environment.ProcessorCount} cores");
Console.WriteLine("connections  durable req/s  p99 ms  keep-nothing req/s  p99 ms  ratio  stored/s meanwhile");
var where = new List<string>();
foreach (var connections in new[] { 20, 64, 256 })
{
    await Load.WrkAsync(script, ours, connections, 2);
    await Load.WrkAsync(script, theirs, connections, 2);
    var durable = new List<LoadResult>();
    var nothing = new List<LoadResult>();
    var meanwhile = new List<Meanwhile>();
    for (var round = 0; round < rounds; round++)
    {
        nothing.Add(await Load.WrkAsync(script, theirs, connections, seconds));
        var before = await Load.StatsAsync(ours);
        durable.Add(await Load.WrkAsync(script, ours, connections, seconds));
        meanwhile.Add(Meanwhile.Between(before, await Load.StatsAsync(ours)));
        await Load.WaitForEmptyQueueAsync(ours);
    }
    double mine = Load.Median(durable.Select(r => r.RequestsPerSecond)), peers = Load.Median(nothing.Select(r => r.RequestsPerSecond));
    Console.WriteLine($"{connections,11} {mine,14:N0} {Load.Median(durable.Select(r => r.P99Milliseconds)),7:0.0} {peers,19:N0} "
        + $"{Load.Median(nothing.Select(r => r.P99Milliseconds)),7:0.0} {mine / peers,6:0.00} "
        + $"{Load.Median(meanwhile.Select(m => m.StoredPerSecond)),19:N0}");
    double Of(Func<Meanwhile, double> part) => Load.Median(meanwhile.Select(part));
    // By Little's law a request takes connections / rate; what the server does not account for is Kestrel, the socket and wrk.
    var request = connections / mine * 1e6;
    var waiting = Of(m => m.DurableMicroseconds) - Of(m => m.WriteMicroseconds) - Of(m => m.FsyncMicroseconds);
    where.Add($"{connections,11} {request,10:0} {Of(m => m.BodyMicroseconds),6:0.0} {Of(m => m.ParseMicroseconds),6:0.0} {waiting,15:0} "
        + $"{Of(m => m.WriteMicroseconds),6:0} {Of(m => m.FsyncMicroseconds),6:0} "
        + $"{request - Of(m => m.BodyMicroseconds + m.ParseMicroseconds + m.DurableMicroseconds),17:0} "
        + $"{Of(m => m.RecordsPerGroup),14:0.0} {Of(m => m.StoreMicroseconds),15:0.0}");
}
Console.WriteLine();
Console.WriteLine("where the time goes, microseconds a request; write and fsync are shared by the group; the store works beside it");
Console.WriteLine("connections    request   body  parse  wait for group  write  fsync  answer and wire  records/group  store per batch");
where.ForEach(Console.WriteLine);
var (final, _) = await Load.StatsAsync(ours);
Console.WriteLine($"at the end: acknowledged {final.GetProperty("acknowledged")}, "
    + $"stored {final.GetProperty("stored")}, queued {final.GetProperty("queued")}");
return 0;
