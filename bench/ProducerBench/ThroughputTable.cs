using ProducerBench.Peers;

namespace ProducerBench;

/// <summary>Records a second of each peer, from 1 and 16 threads.</summary>
internal static class ThroughputTable
{
    private const string Ours = "EvenKeel";
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(10);

    public static async Task RunAsync(BenchOptions options, BenchBroker broker)
    {
        var peers = new List<(string Name, Func<int, Task<Measured>> Run)>
        {
            Managed(Ours, () => new EvenKeelPeer(broker, Linger)),
            Managed("ProduceAsync", () => new ProduceAsyncPeer(broker, Linger)),
            Managed("Produce-free", () => new ProducePeer(broker, Linger, locked: false)),
            Managed("Produce-locked", () => new ProducePeer(broker, Linger, locked: true)),
            Managed("bare-loop", () => new BareLoopPeer(broker, Linger, threads: 1)),
            Managed("bare-threads", () => new BareLoopPeer(broker, Linger, threads: null)),
        };
        if (options.ProducerPerf is not null)
            peers.Add(("producer-perf", _ => ProducerPerf.RunAsync(options, broker)));
        if (options.Only is { } only)
            peers.RemoveAll(peer => peer.Name != Ours && !only.Contains(peer.Name));

        Console.WriteLine($"{options.Rounds} rounds of {options.Span.TotalSeconds} s each, in turn; medians; "
            + $"{Peer.ValueBytes}-byte values, {Peer.Outstanding:N0} outstanding in all, linger {Linger.TotalMilliseconds} ms, acks=all, idempotent");
        Console.WriteLine("bare-loop: one thread calls librdkafka, whatever the peers' threads; bare-threads: as many as the peers");
        Console.WriteLine("threads  peer             records/s   lowest..highest      ours/peer  lowest..highest  B allocated  CPU us");
        foreach (var threads in new[] { 1, 16 })
        {
            var rounds = await RoundsAsync(peers, threads, options.Rounds);
            foreach (var (name, _) in peers)
                Print(threads, name, rounds[name], rounds[Ours]);
        }

        (string, Func<int, Task<Measured>>) Managed(string name, Func<Peer> make) =>
            (name, threads => Measured.RunAsync(make, threads, options.Span));
    }

    private static async Task<Dictionary<string, List<Measured>>> RoundsAsync(
        List<(string Name, Func<int, Task<Measured>> Run)> peers, int threads, int rounds)
    {
        var measured = peers.ToDictionary(peer => peer.Name, _ => new List<Measured>());

        // Round 0 lets the compiler see everything, and is thrown away. Each round begins with another peer.
        for (var round = 0; round <= rounds; round++)
        {
            for (var i = 0; i < peers.Count; i++)
            {
                var (name, run) = peers[(i + round) % peers.Count];
                var result = await run(threads);
                if (round > 0)
                    measured[name].Add(result);
            }
        }
        return measured;
    }

    private static void Print(int threads, string name, List<Measured> peer, List<Measured> ours)
    {
        var rates = peer.Select(round => round.PerSecond).ToList();
        var ratios = ours.Zip(peer).Select(pair => pair.First.PerSecond / pair.Second.PerSecond).ToList();
        Console.WriteLine($"{threads,7}  {name,-14} {Measured.Median(rates),11:N0}  {rates.Min(),9:N0}..{rates.Max(),-9:N0} "
            + $"{Measured.Median(ratios),10:0.00}  {ratios.Min(),6:0.00}..{ratios.Max(),-6:0.00} "
            + $"{Measured.Median(peer.Select(round => round.BytesAllocated)),13:0.0} "
            + $"{Measured.Median(peer.Select(round => round.ProcessorMicroseconds)),7:0.00}");
    }
}
