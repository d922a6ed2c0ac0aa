using System.Diagnostics;
using System.Globalization;
using IntakeBench;
using StreamBench;

// Intake's latency with 1,000 subscribers of /stream, each on one of 100 names, against that without, in turn, at 5,000 batches of 3
// metrics a second; then a subscriber beside them that reads nothing, and how long it takes until it is cut. The subscribers are a process
// of their own, on the same cores. Exit 0: every batch was taken, the median p99 is at most 1.5 times that without, and the stuck one was
// cut; 1: not.
//   dotnet run -c Release --project bench/StreamBench [-- FOLDER [ROUNDS [SECONDS [RATE]]]]
const int Count = 1000;
const int Names = 100;
const double Bar = 1.5;
if (args is ["subscribers", var server])
{
    await Subscribers.RunAsync(new Uri(server), Count, Names);
    return 0;
}
var folder = Path.GetFullPath(args.Length > 0 ? args[0] : "./bench-data");
var rounds = Number(1, 5);
var seconds = TimeSpan.FromSeconds(Number(2, 8));
var rate = Number(3, 5000);
if (Directory.Exists(folder))
    Directory.Delete(folder, recursive: true);
Directory.CreateDirectory(folder);

var here = AppContext.BaseDirectory;
using var process = ServerProcess.Start(
    Path.Combine(here, "MetricStream.dll"), $"serve --port 0 --data \"{Path.Combine(folder, "data")}\"");
var address = new Uri(await process.AddressAsync());
var load = new StreamLoad(address, rate, Names);
var warmUp = TimeSpan.FromSeconds(2);
_ = await load.RunAsync(warmUp, TimeSpan.FromSeconds(3)); // Every name has a series, and every path ran once.

Console.WriteLine($"{rounds} rounds of {seconds.TotalSeconds} s each; {rate} batches/s offered; {Count} subscribers, each on one of "
    + $"{Names} names; all on the same {Environment.ProcessorCount} cores");
Console.WriteLine("round  without: p50 ms  p99 ms  taken  with: p50 ms  p99 ms  taken  points delivered");
var (without, with) = (new List<Taken>(), new List<Taken>());
for (var round = 1; round <= rounds; round++)
{
    without.Add(await load.RunAsync(warmUp, seconds));
    await using var subscribers = await SubscriberProcess.StartAsync(address);
    with.Add(await load.RunAsync(warmUp, seconds));
    var received = await subscribers.EndAsync();
    await load.UntilAsync("subscribers", 0, TimeSpan.FromSeconds(20));
    if (received.Silent > 0)
        Console.WriteLine($"{received.Silent} of {received.Subscribers} subscribers got nothing");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{round,5} {without[^1].P50Milliseconds,16:0.00} {without[^1].P99Milliseconds,7:0.0} {All(without[^1]),6} "
        + $"{with[^1].P50Milliseconds,13:0.00} {with[^1].P99Milliseconds,7:0.0} {All(with[^1]),6} {received.Points,17:N0}"));
}

TimeSpan? cut;
await using (var subscribers = await SubscriberProcess.StartAsync(address))
{
    // It watches everything and reads nothing: its buffers are full within a second.
    using var stuck = await Line.ConnectAsync(address, "", receiveBuffer: 4096);
    await load.UntilAsync("subscribers", Count + 1, TimeSpan.FromSeconds(10));
    var during = load.RunAsync(TimeSpan.Zero, TimeSpan.FromSeconds(20));
    cut = await load.UntilAsync("subscribers", Count, TimeSpan.FromSeconds(30));
    await during;
}

var ratio = Median(with) / Median(without);
var held = ratio <= Bar && cut is not null && without.Concat(with).All(taken => taken.IsAll);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"median p99 {Median(without):0.0} ms without, {Median(with):0.0} ms with: {ratio:0.00} times; "
    + $"at most {Bar}: {(ratio <= Bar ? "holds" : "MISSED")}"));
Console.WriteLine(cut is { } after
    ? string.Create(CultureInfo.InvariantCulture, $"the stuck subscriber was cut after {after.TotalSeconds:0.0} s, the others stayed")
    : $"the stuck subscriber was NOT cut: {await load.StatAsync("subscribers")} are connected");
return held ? 0 : 1;

int Number(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;

static string All(Taken taken) => taken.IsAll ? "all" : FormattableString.Invariant($"-{taken.Offered - taken.Succeeded}");

static double Median(IEnumerable<Taken> runs)
{
    var sorted = runs.Select(run => run.P99Milliseconds).Order().ToArray();
    return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
}

/// <summary>The subscribers' process, from when all are connected until it is told to end.</summary>
internal sealed class SubscriberProcess : IAsyncDisposable
{
    private readonly Process _process;

    private SubscriberProcess(Process process) => _process = process;

    public static async Task<SubscriberProcess> StartAsync(Uri address)
    {
        var ours = Path.Combine(AppContext.BaseDirectory, "StreamBench.dll");
        var start = new ProcessStartInfo("dotnet", [ours, "subscribers", address.ToString()])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        var line = await process.StandardOutput.ReadLineAsync();
        return line == "subscribed" ? new SubscriberProcess(process) : throw new InvalidOperationException($"No subscribers: {line}");
    }

    public async Task<Received> EndAsync()
    {
        _process.StandardInput.Close();
        var line = await _process.StandardOutput.ReadLineAsync();
        return Received.Read(line ?? throw new InvalidOperationException("The subscribers have ended before they were told to."));
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
