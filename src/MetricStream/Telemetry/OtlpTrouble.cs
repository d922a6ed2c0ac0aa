using System.Diagnostics.Tracing;
using System.Globalization;

namespace MetricStream.Telemetry;

/// <summary>Puts into the log what OpenTelemetry's exporter says of itself only to who listens: that a collector does not take what it is
/// sent. Once a minute at most: the exporter tries again and again.</summary>
internal sealed partial class OtlpTrouble(ILogger log) : EventListener
{
    private const string Exporter = "OpenTelemetry-Exporter-OpenTelemetryProtocol";
    private const long QuietMs = 60_000;

    // Interlocked.
    private long _nextAt = Environment.TickCount64;

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Exporter)
            EnableEvents(eventSource, EventLevel.Warning);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        var (now, next) = (Environment.TickCount64, Interlocked.Read(ref _nextAt));
        if (now < next || Interlocked.CompareExchange(ref _nextAt, now + QuietMs, next) != next)
            return;
        var values = (eventData.Payload ?? []).ToArray();
        LogTrouble(log, string.Format(CultureInfo.InvariantCulture, eventData.Message ?? eventData.EventName ?? "", values));
    }

    [LoggerMessage(152, LogLevel.Warning, "The OTLP collector does not take what it is sent (said once a minute at most): {Trouble}")]
    private static partial void LogTrouble(ILogger log, string? trouble);
}
