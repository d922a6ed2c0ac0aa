using System.Diagnostics;
using EvenKeel.Kafka.Producing;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>A real Kafka of the tests' own, to which clients must come by TLS and log in; started when a test first asks for it.</summary>
public sealed class SecuredBroker : IAsyncLifetime
{
    private const string HomeVariable = "EVENKEEL_KAFKA_HOME";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("evenkeel-secured-");
    private readonly SemaphoreSlim _gate = new(1);

    // Guarded by _gate.
    private string? _address;

    /// <summary>librdkafka's own settings for a client that is let in.</summary>
    public Dictionary<string, string> Settings => new()
    {
        ["security.protocol"] = "SASL_SSL",
        ["sasl.mechanism"] = "PLAIN",
        ["sasl.username"] = "client",
        ["sasl.password"] = "client-secret",
        ["ssl.ca.location"] = Path.Combine(_folder.FullName, "ca.pem"),
    };

    private static string? Home => Environment.GetEnvironmentVariable(HomeVariable) is { Length: > 0 } home ? home : null;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>The broker's address; skips the test where no Kafka is there to start.</summary>
    public async Task<string> StartAsync()
    {
        Assert.SkipWhen(Home is null, $"No Kafka to start: {HomeVariable} is not set to a folder with its start and stop.");
        await _gate.WaitAsync();
        try
        {
            return _address ??= (await RunAsync("start", "--tls", "--sasl", "--data", _folder.FullName)).Trim();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>How a producer is let in, with some settings changed.</summary>
    internal ProducerOptions Options(string address, params (string Name, string Value)[] changed)
    {
        var settings = Settings;
        foreach (var (name, value) in changed)
            settings[name] = value;
        return new ProducerOptions { BootstrapServers = address, Linger = TimeSpan.FromMilliseconds(1), Properties = settings };
    }

    public async ValueTask DisposeAsync()
    {
        // A start that failed may have got as far as a port.
        var port = Path.Combine(_folder.FullName, "node-1", "port");
        if (File.Exists(port))
            await RunAsync("stop", (await File.ReadAllTextAsync(port)).Trim());
        _folder.Delete(recursive: true);
        _gate.Dispose();
    }

    private static async Task<string> RunAsync(string script, params string[] arguments)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(Path.Combine(Home!, script), arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        process.Start();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(3 * Deadline);
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{script} ended with {process.ExitCode}: {await output}{await errors}");
    }
}
