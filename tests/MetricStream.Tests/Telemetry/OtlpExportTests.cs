using EvenKeel.Testing.Cluster;
using MetricStream.Tests.Intake;
using MetricStream.Tests.Kafka;
using MetricStream.Tests.Serving;
using Xunit;

namespace MetricStream.Tests.Telemetry;

/// <summary>What a collector gets of a server, over a real connection.</summary>
public sealed class OtlpExportTests : IDisposable
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string ParentId = "00f067aa0ba902b7";

    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-otlp-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_collector_that_the_standard_variable_names_gets_the_law_the_latency_and_a_span_for_each_post()
    {
        await using var collector = await Collector.StartAsync();
        await using var server = await ServedProcess.StartAsync(
            _folder, ["--rate-limit", "1"], ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Endpoint),
            ("OTEL_METRIC_EXPORT_INTERVAL", "300"), ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"));

        Assert.Equal(200, (await server.PostAsync(
            IntakeServer.GoodBody, ("X-Client-Id", "traced"), ("Idempotency-Key", "batch-1"), ("traceparent", $"00-{TraceId}-{ParentId}-01"))).Status);
        Assert.Equal(422, (await server.PostAsync("{}", ("X-Client-Id", "wrong"))).Status);

        await UntilAsync(collector, () => collector.Last("metricstream.batches.acknowledged") == 1 && collector.Last("metricstream.batches.stored") == 1
            && collector.Last("metricstream.batches.rejected") == 1 && collector.Last("metricstream.intake.duration") == 1 && collector.Spans.Count >= 2);
        Assert.Equal(0, collector.Last("metricstream.batches.missing"));
        Assert.Equal(1, collector.Last("metricstream.ready"));
        Assert.Equal(0, collector.Last("metricstream.requests.rate_limited"));
        var span = Assert.Single(collector.Spans, span => span.TraceId == TraceId);
        Assert.Equal(("POST /metrics", ParentId), (span.Name, span.ParentId));
        Assert.Equal(("traced", "batch-1", "1", "200"), (
            span.Attributes["metricstream.client"], span.Attributes["metricstream.batch_id"], span.Attributes["metricstream.metrics"],
            span.Attributes["http.response.status_code"]));
        Assert.Contains(collector.Spans, other => other.TraceId != TraceId && other.Attributes["http.response.status_code"] == "422");
        Assert.Equal(("metricstream", "test"), (collector.Resource["service.name"], collector.Resource["deployment.environment.name"]));
    }

    [Fact]
    public async Task What_Kafka_is_sent_belongs_to_the_posts_span_and_that_to_the_senders_trace()
    {
        await using var collector = await Collector.StartAsync();
        await using var broker = TestBroker.Start();
        var topic = "traced-" + Guid.NewGuid().ToString("n");
        await using var server = await ServedProcess.StartAsync(
            _folder, ["--queue", "kafka", "--bootstrap-servers", broker.BootstrapServers, "--topic", topic, "--role", "intake"],
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.Endpoint + "/v1/traces"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"));

        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("traceparent", $"00-{TraceId}-{ParentId}-01"))).Status);

        await UntilAsync(collector, () => collector.Spans.Any(span => span.Name == "POST /metrics"));
        var message = Assert.Single(await TopicReading.ReadAsync(broker, topic, 1));
        var parent = message.Headers["traceparent"].Split('-');
        Assert.Equal(TraceId, parent[1]);
        await UntilAsync(collector, () => collector.Spans.Any(span => span.SpanId == parent[2] && span.TraceId == TraceId));
        Assert.Empty(collector.Points);
    }

    [Fact]
    public async Task A_collector_that_is_away_is_said_and_costs_no_batch()
    {
        await using var server = await ServedProcess.StartAsync(
            _folder, [], ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"));

        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);

        await ServedProcess.UntilAsync(
            () => Task.FromResult(server.Said.Contains("OTLP collector does not take", StringComparison.Ordinal)), () => server.Said);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
    }

    [Fact]
    public async Task An_endpoint_that_is_no_address_ends_the_start_with_2_and_its_name()
    {
        var (exit, said) = await ServedProcess.RunAsync(
            _folder, [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")], "serve", "--port", "0", "--data", Path.Combine(_folder, "data"));

        Assert.Equal(2, exit);
        Assert.Contains("OTEL_EXPORTER_OTLP_ENDPOINT is 'collector'", said, StringComparison.Ordinal);
    }

    private static Task UntilAsync(Collector collector, Func<bool> holds) => ServedProcess.UntilAsync(
        () => Task.FromResult(holds()), () => string.Join(' ', collector.Points.TakeLast(60)) + string.Join(' ', collector.Spans));
}
