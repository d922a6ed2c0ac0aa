using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MetricStream.Tests.Telemetry;

/// <summary>One point of a metric as a collector got it; a histogram's value is its count.</summary>
internal sealed record CollectedPoint(string Scope, string Metric, double Value);

/// <summary>One span as a collector got it.</summary>
internal sealed record CollectedSpan(string Name, string TraceId, string SpanId, string ParentId, IReadOnlyDictionary<string, string> Attributes);

/// <summary>A collector that takes OTLP over HTTP as protobuf and keeps what it understands of it.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Collector(WebApplication app) => _app = app;

    public string Endpoint => _app.Urls.Single();

    public ConcurrentQueue<CollectedPoint> Points { get; } = new();

    public ConcurrentQueue<CollectedSpan> Spans { get; } = new();

    /// <summary>What the senders said of themselves.</summary>
    public ConcurrentDictionary<string, string> Resource { get; } = new();

    public static async Task<Collector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var collector = new Collector(builder.Build());
        collector._app.MapPost("/v1/metrics", context => collector.TakeAsync(context, collector.TakeMetrics));
        collector._app.MapPost("/v1/traces", context => collector.TakeAsync(context, collector.TakeSpans));
        await collector._app.StartAsync();
        return collector;
    }

    /// <summary>The last value of a metric; null before there is one.</summary>
    public double? Last(string metric) => Points.LastOrDefault(point => point.Metric == metric)?.Value;

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context, Action<ProtobufMessage> take)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        foreach (var resource in new ProtobufMessage(body.ToArray()).Messages(1))
        {
            foreach (var (key, value) in Attributes(resource.Messages(1).SelectMany(described => described.Messages(1))))
                Resource[key] = value;
            take(resource);
        }

        context.Response.ContentType = "application/x-protobuf";
    }

    private void TakeMetrics(ProtobufMessage resource)
    {
        foreach (var scope in resource.Messages(2))
        {
            var name = scope.Messages(1).Single().Text(1);
            foreach (var metric in scope.Messages(2))
            {
                // A gauge is field 5, a sum 7, with points whose value is a double (4) or an integer (6); a histogram is 9, its count is 4.
                foreach (var point in metric.Messages(5).Concat(metric.Messages(7)).SelectMany(kind => kind.Messages(1)))
                    Points.Enqueue(new CollectedPoint(name, metric.Text(1), point.Fixed(6) is { } whole ? whole : BitConverter.Int64BitsToDouble(point.Fixed(4) ?? 0)));
                foreach (var point in metric.Messages(9).SelectMany(kind => kind.Messages(1)))
                    Points.Enqueue(new CollectedPoint(name, metric.Text(1), point.Fixed(4) ?? 0));
            }
        }
    }

    private void TakeSpans(ProtobufMessage resource)
    {
        foreach (var span in resource.Messages(2).SelectMany(scope => scope.Messages(2)))
        {
            Spans.Enqueue(new CollectedSpan(
                span.Text(5), span.Hex(1), span.Hex(2), span.Hex(4), Attributes(span.Messages(9)).ToDictionary(pair => pair.Key, pair => pair.Value)));
        }
    }

    private static IEnumerable<KeyValuePair<string, string>> Attributes(IEnumerable<ProtobufMessage> pairs) => pairs.Select(pair =>
        KeyValuePair.Create(pair.Text(1), pair.Messages(2).Select(value => value.Number(3)?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? value.Text(1)).Single()));
}
