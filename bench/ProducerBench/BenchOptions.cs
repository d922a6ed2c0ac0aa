using System.Globalization;

namespace ProducerBench;

/// <summary>What the command line asks for.</summary>
internal sealed record BenchOptions
{
    public const string Usage =
        """
        usage: ProducerBench [throughput | latency] [options]
          --rounds N              rounds per case, medians count (default 5)
          --seconds S             measured seconds per peer and round (default 3)
          --bootstrap-servers B   a real broker instead of the embedded one
          --producer-perf PATH    Kafka's own kafka-producer-perf-test, run beside the peers; arguments may follow the path
          --only NAME,NAME        these peers alone
        """;

    public bool IsLatency { get; private init; }

    public int Rounds { get; private init; } = 5;

    public TimeSpan Span { get; private init; } = TimeSpan.FromSeconds(3);

    public string? BootstrapServers { get; private init; }

    /// <summary>The tool and its first arguments.</summary>
    public string[]? ProducerPerf { get; private init; }

    public string[]? Only { get; private init; }

    public static BenchOptions? Parse(string[] args, out string error)
    {
        var options = new BenchOptions();
        var at = 0;
        if (args is ["throughput" or "latency", ..])
            options = options with { IsLatency = args[at++] == "latency" };
        error = "";
        for (; at < args.Length; at += 2)
        {
            var next = at + 1 < args.Length ? Take(options, args[at], args[at + 1]) : null;
            if (next is null)
            {
                error = $"'{string.Join(' ', args[at..Math.Min(at + 2, args.Length)])}' is no option with its value.";
                return null;
            }
            options = next;
        }
        return options;
    }

    private static BenchOptions? Take(BenchOptions options, string name, string value)
    {
        var isNumber = double.TryParse(value, CultureInfo.InvariantCulture, out var number) && number > 0;
        return name switch
        {
            "--rounds" when isNumber => options with { Rounds = Math.Max(1, (int)number) },
            "--seconds" when isNumber => options with { Span = TimeSpan.FromSeconds(number) },
            "--bootstrap-servers" => options with { BootstrapServers = value },
            "--producer-perf" => options with { ProducerPerf = value.Split(' ', StringSplitOptions.RemoveEmptyEntries) },
            "--only" => options with { Only = value.Split(',') },
            _ => null,
        };
    }
}
