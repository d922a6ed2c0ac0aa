using System.Diagnostics.Metrics;
using EvenKeel.Kafka.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EvenKeel.Kafka.Hosting;

/// <summary>Where a host's clients log and measure.</summary>
internal sealed record HostObservation(ILogger Logger, KafkaMeter Meter)
{
    public static HostObservation Of(IServiceProvider provider)
    {
        var loggers = provider.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance;
        var meters = provider.GetService<IMeterFactory>();
        return new HostObservation(
            new GuardedLogger(loggers.CreateLogger(ProducerLog.Category)),
            meters is null ? KafkaMeter.Shared : new KafkaMeter(meters.Create(new MeterOptions(KafkaTelemetry.MeterName))));
    }
}
