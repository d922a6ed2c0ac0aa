using System.Diagnostics;
using ProducerBench.Peers;

namespace ProducerBench;

/// <summary>How long one awaited send takes that no other is near, ours and Confluent.Kafka's in turn.</summary>
internal static class LatencyTable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(1);

    public static async Task RunAsync(BenchOptions options, BenchBroker broker)
    {
        await using var ours = new EvenKeelPeer(broker, TimeSpan.Zero);
        await using var theirs = new ProduceAsyncPeer(broker, TimeSpan.Zero);
        (string Name, Func<ValueTask> Send)[] peers = [("EvenKeel", ours.SendOneAsync), ("ProduceAsync", theirs.SendOneAsync)];
        var rounds = peers.ToDictionary(peer => peer.Name, _ => new List<(double P50, double P99, double PerSecond)>());
        for (var round = 0; round <= options.Rounds; round++)
        {
            for (var i = 0; i < peers.Length; i++)
            {
                var (name, send) = peers[(i + round) % peers.Length];
                var latencies = await RoundAsync(send, options.Span);

                // Round 0 connects, and lets the compiler see everything.
                if (round > 0)
                    rounds[name].Add(latencies);
            }
        }

        Console.WriteLine($"{options.Rounds} rounds of {options.Span.TotalSeconds} s each, in turn; medians of the rounds' percentiles; "
            + $"{Peer.ValueBytes}-byte values, one awaited send each {Interval.TotalMilliseconds} ms, linger 0, acks=all, idempotent");
        Console.WriteLine("peer              p50 us   p99 us    sends/s  ours/peer p50  lowest..highest  ours/peer p99  lowest..highest");
        foreach (var (name, _) in peers)
        {
            var peer = rounds[name];
            Console.WriteLine($"{name,-14} {Measured.Median(peer.Select(r => r.P50)),9:0.0} "
                + $"{Measured.Median(peer.Select(r => r.P99)),8:0.0} "
                + $"{Measured.Median(peer.Select(r => r.PerSecond)),10:0} {Ratios(rounds["EvenKeel"], peer, r => r.P50),16} "
                + $"{Ratios(rounds["EvenKeel"], peer, r => r.P99),14}");
        }
    }

    private static string Ratios<T>(List<T> ours, List<T> peer, Func<T, double> of)
    {
        var ratios = ours.Zip(peer).Select(pair => of(pair.First) / of(pair.Second)).ToList();
        return $"{Measured.Median(ratios),13:0.00}  {ratios.Min(),6:0.00}..{ratios.Max(),-6:0.00}";
    }

    private static async Task<(double P50, double P99, double PerSecond)> RoundAsync(Func<ValueTask> send, TimeSpan span)
    {
        // Exact: every latency is kept.
        var microseconds = new List<double>((int)(span / Interval) + 1);
        using var due = new SemaphoreSlim(0);
        using var stop = new CancellationTokenSource(span);
        var pace = new Thread(() => Pace(due, stop.Token)) { IsBackground = true, Name = "pace" };
        var clock = Stopwatch.StartNew();
        pace.Start();
        while (!stop.IsCancellationRequested)
        {
            await due.WaitAsync();
            var start = Stopwatch.GetTimestamp();
            await send();
            microseconds.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        pace.Join();
        var perSecond = microseconds.Count / clock.Elapsed.TotalSeconds;
        microseconds.Sort();
        return (microseconds[microseconds.Count / 2], microseconds[(int)(microseconds.Count * 0.99)], perSecond);
    }

    /// <summary>Says when the next send is due, on a thread: .NET's timers count in steps of 4 ms on Linux.</summary>
    private static void Pace(SemaphoreSlim due, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        for (var next = Interval; !stop.WaitHandle.WaitOne(Interval);)
        {
            for (; next <= clock.Elapsed; next += Interval)
                due.Release();
        }
        due.Release();
    }
}
