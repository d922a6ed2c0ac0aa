using System.Reflection;
using EvenKeel.Kafka.Telemetry;
using MetricStream.Serving;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace MetricStream.Telemetry;

/// <summary>
/// Sends the server's own metrics and spans to a collector over OTLP, where OpenTelemetry's variables name one
/// (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, or one for metrics or traces alone). All else is theirs too: protocol, headers, interval, sampler.
/// </summary>
internal sealed partial class OtlpExport : IDisposable
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string MetricsEndpoint = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
    private const string Protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
    private const int GrpcPort = 4317;
    private const string TracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

    // The stop has 20 s for everything; a collector that hangs gets little of it.
    private const int FlushMs = 400;

    private readonly ServerMeter _meter;
    private readonly MeterProvider? _metrics;
    private readonly TracerProvider? _traces;
    private readonly OtlpTrouble? _trouble;

    private OtlpExport(ServerMeter meter, MeterProvider? metrics, TracerProvider? traces, OtlpTrouble? trouble) =>
        (_meter, _metrics, _traces, _trouble) = (meter, metrics, traces, trouble);

    /// <summary>Exports from now on; nothing where no collector is named. The meter is its own from here on.</summary>
    public static OtlpExport Start(ServerMeter meter, string instance, ILogger log)
    {
        var (both, forMetrics, forTraces) = (Named(Endpoint), Named(MetricsEndpoint), Named(TracesEndpoint));
        if ((both ?? forMetrics ?? forTraces) is not { } first)
            return new OtlpExport(meter, null, null, null);
        // What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes last, and wins.
        var resource = ResourceBuilder.CreateEmpty()
            .AddService("metricstream", serviceVersion: Version(), autoGenerateServiceInstanceId: instance.Length == 0,
                serviceInstanceId: instance.Length == 0 ? null : instance)
            .AddTelemetrySdk().AddEnvironmentVariableDetector();
        var trouble = new OtlpTrouble(log);
        var metrics = both is not null || forMetrics is not null
            ? Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource)
                .AddMeter(ServerMeter.Name, KafkaTelemetry.MeterName, "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel")
                .AddOtlpExporter(options => Direct(options, forMetrics)).Build()
            : null;
        var traces = both is not null || forTraces is not null
            ? Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource)
                .AddSource(IntakeTrace.SourceName, KafkaTelemetry.ActivitySourceName)
                .AddOtlpExporter(options => Direct(options, forTraces)).Build()
            : null;
        LogExports(log, first);
        return new OtlpExport(meter, metrics, traces, trouble);
    }

    public void Dispose()
    {
        _traces?.Shutdown(FlushMs);
        _metrics?.Shutdown(FlushMs);
        _traces?.Dispose();
        _metrics?.Dispose();
        _trouble?.Dispose();
        _meter.Dispose();
    }

    // The exporter reads the variable for both by itself, those for one it leaves to us. Where no protocol is said it would take gRPC; the
    // specification's default is HTTP, gRPC's is the port.
    private static void Direct(OtlpExporterOptions options, Uri? endpoint)
    {
        if (string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable(Protocol)) && (endpoint ?? Named(Endpoint))?.Port != GrpcPort)
            options.Protocol = OtlpExportProtocol.HttpProtobuf;
        if (endpoint is not null)
            options.Endpoint = endpoint;
    }

    private static Uri? Named(string variable)
    {
        var text = Environment.GetEnvironmentVariable(variable);
        if (string.IsNullOrWhiteSpace(text))
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https")
            return endpoint;
        throw new StartRefusedException($"{variable} is '{text}': write http://host:port or https://host:port, or leave it out.");
    }

    private static string? Version() =>
        Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;

    [LoggerMessage(151, LogLevel.Information, "Own metrics and spans go over OTLP to {Endpoint}.")]
    private static partial void LogExports(ILogger log, Uri endpoint);
}
