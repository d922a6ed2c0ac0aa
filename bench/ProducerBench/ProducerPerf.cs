using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using ProducerBench.Peers;

namespace ProducerBench;

/// <summary>Kafka's own load tool, in its Java process, with the same settings; its warm-up is left out, as of the others.</summary>
internal static partial class ProducerPerf
{
    private static long Expected = 200_000;

    public static async Task<Measured> RunAsync(BenchOptions options, BenchBroker broker)
    {
        // As many records as it sent in the last round's time; its own rate is not known before.
        var warm = Expected / 2;
        var count = (long)(Expected * options.Span.TotalSeconds);
        string[] arguments =
        [
            .. options.ProducerPerf![1..], "--bootstrap-server", broker.BootstrapServers, "--topic", broker.Topic,
            "--num-records", $"{count + warm}", "--warmup-records", $"{warm}", "--record-size", $"{Peer.ValueBytes}", "--throughput", "-1",
            "--command-property", "acks=all", "enable.idempotence=true", "linger.ms=10",
        ];
        var start = new ProcessStartInfo(options.ProducerPerf[0], arguments) { RedirectStandardOutput = true };
        using var tool = Process.Start(start)!;
        var output = await tool.StandardOutput.ReadToEndAsync();
        await tool.WaitForExitAsync();
        if (tool.ExitCode != 0 || Rate().Matches(output) is not { Count: > 0 } rates)
            throw new InvalidOperationException($"{options.ProducerPerf[0]} ended with {tool.ExitCode} and said:\n{output}");
        var perSecond = double.Parse(rates[^1].Groups[1].Value, CultureInfo.InvariantCulture);
        Expected = Math.Max(1, (long)perSecond);
        return new Measured(perSecond, double.NaN, double.NaN);
    }

    [GeneratedRegex(@"records sent, ([\d.]+) records/sec")]
    private static partial Regex Rate();
}
