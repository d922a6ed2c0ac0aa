using System.Diagnostics;
using ProducerBench.Peers;

namespace ProducerBench;

/// <summary>What one peer did in one round.</summary>
/// <param name="PerSecond">Records delivered a second.</param>
/// <param name="BytesAllocated">Managed bytes allocated per record, by the whole process.</param>
/// <param name="ProcessorMicroseconds">Processor time of this process per record; the broker's is not in it.</param>
internal sealed record Measured(double PerSecond, double BytesAllocated, double ProcessorMicroseconds)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5);

    public static async Task<Measured> RunAsync(Func<Peer> make, int threads, TimeSpan span)
    {
        await using var peer = make();
        using var stop = new CancellationTokenSource();
        using var process = Process.GetCurrentProcess();
        var sending = peer.SendAsync(threads, stop.Token);
        await Task.WhenAny(sending, Task.Delay(WarmUp));
        var (clock, delivered) = (Stopwatch.StartNew(), peer.Delivered);
        var allocated = GC.GetTotalAllocatedBytes();
        var processor = process.TotalProcessorTime;
        await Task.WhenAny(sending, Task.Delay(span));
        delivered = peer.Delivered - delivered;
        var seconds = clock.Elapsed.TotalSeconds;
        allocated = GC.GetTotalAllocatedBytes() - allocated;
        process.Refresh();
        processor = process.TotalProcessorTime - processor;
        await stop.CancelAsync();
        await sending;
        return new Measured(delivered / seconds, (double)allocated / delivered, processor.TotalMicroseconds / delivered);
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
