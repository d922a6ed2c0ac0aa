using System.Globalization;
using System.Net.Sockets;
using System.Text;
using MetricStream.Load;

namespace Chaos;

/// <summary>How many bad clients there are, and what the good ones send meanwhile.</summary>
internal sealed record SlowShape(int Idle, int SlowHeaders, int SlowBodies, double Rate, TimeSpan Duration);

/// <summary>
/// A run of slow clients: connections that say nothing, and others that drip headers or bodies a byte a second and come back when they are
/// cut, while good clients post at a fixed rate. Every good batch must be taken, and looked up it is stored once.
/// </summary>
internal sealed class SlowClients(SlowShape shape, Action<string> print)
{
    private const int GoodClients = 20;
    private const int Connectors = 8;
    private static readonly TimeSpan DripEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    private static readonly byte[] HeaderBegin = "POST /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "u8.ToArray();
    private static readonly byte[] BodyBegin = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"u8.ToArray();

    // Interlocked.
    private long _cut;
    private long _toldTooSlow;

    /// <summary>What a stalled body was answered, so far.</summary>
    public long ToldTooSlow => Interlocked.Read(ref _toldTooSlow);

    /// <summary>The good clients' p99 without the bad ones, and with them; and everything that did not hold.</summary>
    public async Task<(TimeSpan Alone, TimeSpan Beside, IReadOnlyList<string> Violations)> RunAsync(CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("metricstream-slow-");
        using var server = await ServerProcess.StartAsync(folder.FullName, cancellation);
        var violations = new List<string>();
        // 1. The good clients alone.
        var alone = await PostAsync("alone", server.Url, violations, cancellation);
        // 2. The bad ones, then the good ones beside them.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var idle = await OpenIdleAsync(server.Url, end.Token);
        var dripping = Enumerable.Range(0, shape.SlowHeaders).Select(_ => DripAsync(server.Url, HeaderBegin, end.Token))
            .Concat(Enumerable.Range(0, shape.SlowBodies).Select(_ => DripAsync(server.Url, BodyBegin, end.Token))).ToList();
        var beside = await PostAsync("beside the slow ones", server.Url, violations, cancellation);
        var open = idle.Count(IsOpen);
        await end.CancelAsync();
        await Task.WhenAll(dripping);
        // 3. What the server says.
        using var api = new ServerApi(new LoadTarget(server.Url, null, null, RequestTimeout));
        var counters = await api.CountersAsync(cancellation);
        if (counters.Missing != 0 && counters.IsAtRest)
            violations.Add($"the law does not hold: {counters}");
        idle.ForEach(socket => socket.Dispose());
        print(string.Create(CultureInfo.InvariantCulture,
            $"idle {open} of {shape.Idle} still open; slow ones cut {_cut} times, {_toldTooSlow} of them told 408; {counters}"));
        if (violations.Count == 0)
        {
            await server.KillAsync();
            folder.Delete(recursive: true);
        }
        return (alone, beside, violations);
    }

    private async Task<TimeSpan> PostAsync(string name, Uri url, List<string> violations, CancellationToken cancellation)
    {
        var load = new LoadShape(GoodClients, 0, 3, shape.Rate, shape.Duration);
        var run = new LoadRun(new LoadTarget(url, null, null, RequestTimeout), load, OutcomeBook.NewRunId(), null);
        var (result, _) = await run.RunAsync(TimeSpan.FromSeconds(1), null, cancellation);
        var latency = result.Tally.Latency;
        print(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {result.Tally.Succeeded} taken, {result.Tally.Failed} failed, p50 {latency.Percentile(50).TotalMilliseconds:0.00} ms, "
            + $"p99 {latency.Percentile(99).TotalMilliseconds:0.00} ms, max {latency.Max.TotalMilliseconds:0.0} ms"));
        if (result.Tally.Failed > 0 || result.Tally.Succeeded == 0)
            violations.Add($"{name}: {result.Tally.Failed} good batches failed, {result.Tally.Succeeded} were taken");
        return latency.Percentile(99);
    }

    private async Task<List<Socket>> OpenIdleAsync(Uri url, CancellationToken cancellation)
    {
        var open = await Task.WhenAll(Enumerable.Range(0, Connectors).Select(async connector =>
        {
            var sockets = new List<Socket>();
            for (var i = connector; i < shape.Idle; i += Connectors)
                sockets.Add(await ConnectAsync(url, cancellation));
            return sockets;
        }));
        return [.. open.SelectMany(sockets => sockets)];
    }

    private async Task DripAsync(Uri url, byte[] begin, CancellationToken end)
    {
        using var timer = new PeriodicTimer(DripEvery);
        using var ended = end.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        while (!end.IsCancellationRequested)
        {
            try
            {
                using var socket = await ConnectAsync(url, end);
                await socket.SendAsync(begin, end);
                while (socket.Available == 0 && IsOpen(socket) && await timer.WaitForNextTickAsync(CancellationToken.None))
                    await socket.SendAsync("x"u8.ToArray(), end);
                await ReadEndAsync(socket);
            }
            catch (SocketException)
            {
                Interlocked.Increment(ref _cut);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task ReadEndAsync(Socket socket)
    {
        if (socket.Available == 0)
            return;
        var answer = new byte[256];
        var length = await socket.ReceiveAsync(answer, CancellationToken.None);
        Interlocked.Increment(ref _cut);
        if (Encoding.ASCII.GetString(answer, 0, length).StartsWith("HTTP/1.1 408", StringComparison.Ordinal))
            Interlocked.Increment(ref _toldTooSlow);
    }

    // Readable without bytes: the other side has ended it.
    private static bool IsOpen(Socket socket) => !(socket.Poll(TimeSpan.Zero, SelectMode.SelectRead) && socket.Available == 0);

    private static async Task<Socket> ConnectAsync(Uri url, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(url.Host, url.Port, cancellation);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
