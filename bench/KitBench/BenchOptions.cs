using System.Globalization;

namespace KitBench;

/// <summary>What the command line and the environment say.</summary>
internal sealed record BenchOptions
{
    public const string Real = "real";
    public const string Embedded = "embedded";

    public int Runs { get; private init; } = 5;

    public int Rounds { get; private init; } = 200;

    public int Processes { get; private init; } = 2;

    public int Noise { get; private init; } = 1;

    public double Minutes { get; private init; } = double.PositiveInfinity;

    public string State { get; private init; } = "kit-soak.state";

    public IReadOnlyList<int> Workers { get; private init; } = [1, 2, 4];

    public IReadOnlyList<string> Versions { get; private init; } = ["Today", "Tuned", "Kit"];

    public IReadOnlyList<string> Brokers { get; private init; } = [Real, Embedded];

    public string? BootstrapServers { get; } = Environment.GetEnvironmentVariable("EVENKEEL_BOOTSTRAP_SERVERS");

    public string Postgres { get; } = Environment.GetEnvironmentVariable("EVENKEEL_POSTGRES") ?? "";

    /// <returns>Null after a line that tells what is wrong.</returns>
    public static BenchOptions? Read(string[] arguments)
    {
        var options = new BenchOptions();
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (i + 1 == arguments.Length || options.With(arguments[i], arguments[i + 1]) is not { } next)
            {
                Console.Error.WriteLine($"'{arguments[i]}' is no option, or its value is none.");
                return null;
            }
            options = next;
        }
        if (options.Postgres.Length == 0)
        {
            Console.Error.WriteLine("EVENKEEL_POSTGRES is not set to a connection string: every test would be skipped.");
            return null;
        }
        if (options.Brokers.Contains(Real) && string.IsNullOrEmpty(options.BootstrapServers))
        {
            Console.Error.WriteLine("EVENKEEL_BOOTSTRAP_SERVERS is not set to a broker's host:port; or say --brokers embedded.");
            return null;
        }
        return options;
    }

    private BenchOptions? With(string name, string value)
    {
        var names = value.Split(',');
        var numbers = names.Select(text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0).ToArray();
        return (name, numbers) switch
        {
            ("--runs", [> 0 and var runs]) => this with { Runs = runs },
            ("--rounds", [> 0 and var rounds]) => this with { Rounds = rounds },
            ("--processes", [> 0 and var processes]) => this with { Processes = processes },
            ("--noise", [>= 0 and var noise]) => this with { Noise = noise },
            ("--minutes", [> 0 and var minutes]) => this with { Minutes = minutes },
            ("--workers", _) when numbers.All(count => count > 0) => this with { Workers = numbers },
            ("--versions", _) when names.All(known => known is "Today" or "Tuned" or "Kit") => this with { Versions = names },
            ("--brokers", _) when names.All(known => known is Real or Embedded) => this with { Brokers = names },
            ("--state", _) => this with { State = value },
            _ => null,
        };
    }
}
