using System.Diagnostics;

namespace KafkaChaos.Clusters;

/// <summary>The folder with a real Kafka's scripts <c>start</c>, <c>stop</c> and <c>tool</c>.</summary>
internal sealed class KafkaHome
{
    public const string Variable = "EVENKEEL_KAFKA_HOME";
    private static readonly TimeSpan ScriptLimit = TimeSpan.FromSeconds(120);

    private readonly string _folder;

    private KafkaHome(string folder) => _folder = folder;

    /// <summary>The folder that the environment names; null if it names none.</summary>
    public static KafkaHome? Find() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? new KafkaHome(folder) : null;

    /// <exception cref="UsageException">The environment names none.</exception>
    public static KafkaHome Require() =>
        Find() ?? throw new UsageException($"{Variable} is not set: name the folder with Kafka's start, stop and tool.");

    public Task<string> StartAsync(IEnumerable<string> arguments, CancellationToken cancellation) =>
        RunAsync("start", arguments, cancellation);

    public Task<string> StopAsync(IEnumerable<string> arguments, CancellationToken cancellation) =>
        RunAsync("stop", arguments, cancellation);

    /// <summary>One of Kafka's own command-line tools.</summary>
    public Task<string> ToolAsync(IEnumerable<string> arguments, CancellationToken cancellation) =>
        RunAsync("tool", arguments, cancellation);

    private Task<string> RunAsync(string script, IEnumerable<string> arguments, CancellationToken cancellation) =>
        Script.RunAsync(new ProcessStartInfo(Path.Combine(_folder, script), arguments), ScriptLimit, cancellation);
}
