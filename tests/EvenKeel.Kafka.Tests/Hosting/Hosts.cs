using System.Collections.Concurrent;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Producing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace EvenKeel.Kafka.Tests.Hosting;

/// <summary>Real generic hosts for tests, with a log that can be read.</summary>
internal static class Hosts
{
    /// <param name="servers">The broker; null: not set.</param>
    /// <param name="kafka">The clients.</param>
    /// <param name="arrange">Whatever else the test needs.</param>
    /// <param name="settings">Further keys of the configuration.</param>
    public static IHost Build(
        string? servers, Action<KafkaHostBuilder> kafka, Action<IServiceCollection>? arrange = null, params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection([new("Kafka:BootstrapServers", servers), .. settings.Select(entry => new KeyValuePair<string, string?>(entry.Key, entry.Value))]);
        builder.Logging.SetMinimumLevel(LogLevel.Trace);
        builder.Services.AddSingleton<LogBook>();
        builder.Services.AddSingleton<ILoggerProvider>(provider => provider.GetRequiredService<LogBook>());
        builder.Services.AddHealthChecks();
        arrange?.Invoke(builder.Services);
        builder.Services.AddEvenKeelKafka(kafka);
        return builder.Build();
    }

    public static ReliableProducer Producer(this IHost host, string? name = null) =>
        name is null ? host.Services.GetRequiredService<ReliableProducer>() : host.Services.GetRequiredKeyedService<ReliableProducer>(name);

    public static LogBook Log(this IHost host) => host.Services.GetRequiredService<LogBook>();

    public static async Task<HealthReport> HealthAsync(this IHost host) =>
        await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
}

/// <summary>Everything that a host's Kafka clients log.</summary>
internal sealed class LogBook : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<(int Id, LogLevel Level, string Text)> _lines = new();

    public IReadOnlyList<(int Id, LogLevel Level, string Text)> Lines => [.. _lines];

    public bool Throws { get; set; }

    public IReadOnlyList<string> Of(int id) => [.. _lines.Where(line => line.Id == id).Select(line => line.Text)];

    public ILogger CreateLogger(string categoryName) => categoryName == "EvenKeel.Kafka" ? this : NullLogger.Instance;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        _lines.Enqueue((eventId.Id, logLevel, formatter(state, exception)));
        if (Throws)
            throw new InvalidOperationException("This logger throws.");
    }

    public void Dispose()
    {
    }
}

/// <summary>A hosted service that notes when it starts and stops.</summary>
internal sealed class Witness(Func<string, Task> note) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => note("started");

    public Task StopAsync(CancellationToken cancellationToken) => note("stopped");
}
