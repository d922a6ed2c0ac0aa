using System.Text;
using System.Text.Json;
using MetricStream.Intake;
using MetricStream.Serving;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary><c>/api/stats</c>, <c>GET /metrics</c> and the health routes of a server with its queue in Kafka.</summary>
internal sealed class KafkaEndpoints(KafkaState state, KafkaOptions options, IntakeTimes times, BatchAcceptance acceptance)
{
    private const int ClientsListed = 1000;

    public void Map(IEndpointRouteBuilder routes)
    {
        HealthRoutes.Map(routes, state.NotReady);
        routes.MapMethods("/api/stats", ProblemPages.Reads, (RequestDelegate)(context => TryAsync(context, StatsAsync)));
        routes.MapMethods("/metrics", ProblemPages.Reads, (RequestDelegate)(context => TryAsync(context, MetricsAsync)));
    }

    private static async Task TryAsync(HttpContext context, Func<HttpContext, Task> answer)
    {
        try
        {
            await answer(context);
        }
        catch (StoreUnavailableException unavailable)
        {
            await new Problem(StatusCodes.Status503ServiceUnavailable, unavailable.Message) { RetryAfterSeconds = 1 }.WriteAsync(context);
        }
    }

    private async Task StatsAsync(HttpContext context)
    {
        var law = state.Law();
        var clients = state.Clients(ClientsListed);
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        StatsJson.WriteLaw(json, law.Law);
        WriteClients(json, clients);
        json.WriteStartObject("intake");
        json.WriteNumber("batches", times.Batches);
        json.WriteNumber("body_seconds", times.Body.TotalSeconds);
        json.WriteNumber("parse_seconds", times.Parse.TotalSeconds);
        json.WriteNumber("durable_seconds", times.Durable.TotalSeconds);
        json.WriteNumber("enqueued_lost", acceptance.LostCount);
        json.WriteEndObject();
        WriteQueue(json, law);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }

    private static void WriteClients(Utf8JsonWriter json, IReadOnlyList<ClientCounters> clients)
    {
        json.WriteStartArray("clients");
        foreach (var client in clients)
        {
            json.WriteStartObject();
            json.WriteString("client", client.ClientId);
            json.WriteNumber("acknowledged", client.Acknowledged);
            json.WriteNumber("rejected", client.Rejected);
            json.WriteNumber("last_seen", client.LastSeenUnixMs);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteQueue(Utf8JsonWriter json, in KafkaLaw law)
    {
        var topic = state.Topic;
        json.WriteStartObject("queue");
        json.WriteString("kind", "kafka");
        json.WriteString("role", Name(options.Role));
        json.WriteString("topic", options.Topic);
        WriteNumber(json, "replicas", topic.Replicas);
        WriteNumber(json, "min_in_sync", topic.MinInSync);
        if (topic.SurvivesPowerLoss is { } survives)
            json.WriteBoolean("survives_power_loss", survives);
        else
            json.WriteNull("survives_power_loss");
        json.WriteNumber("handed_over", law.HandedOver);
        WriteSpill(json);
        json.WriteEndObject();
    }

    private void WriteSpill(Utf8JsonWriter json)
    {
        var producer = state.Intake.Producer;
        var counters = producer.Counters;
        json.WriteString("state", Name(producer.State));
        json.WriteNumber("bytes", counters.SpillBytes);
        json.WriteNumber("max_bytes", state.MaxQueueBytes);
        json.WriteNumber("oldest_seconds", counters.OldestAge.TotalSeconds);
        json.WriteNumber("sent_straight", counters.Direct);
        json.WriteNumber("sent_through_spill", counters.Spilled);
        json.WriteNumber("replayed", counters.Replayed);
        json.WriteString("fault", state.Intake.SpillFault);
    }

    private async Task MetricsAsync(HttpContext context)
    {
        var page = new StringBuilder();
        var law = state.Law();
        var counters = state.Intake.Producer.Counters;
        PrometheusPage.Counter(page, "metricstream_batches_acknowledged_total", "Batches made durable, acknowledged re-sends included.",
            law.Law.Acknowledged);
        PrometheusPage.Counter(page, "metricstream_batches_stored_total", "Batches in the store.", law.Law.Stored);
        PrometheusPage.Counter(page, "metricstream_batches_duplicate_total", "Acknowledged re-sends of known batches.", law.Law.Duplicates);
        PrometheusPage.Counter(page, "metricstream_batches_quarantined_total", "Records that the disk damaged.", law.Law.Quarantined);
        PrometheusPage.Counter(page, "metricstream_batches_rejected_total", "Batches refused with a reason.", law.Law.Rejected);
        PrometheusPage.Gauge(page, "metricstream_batches_dead_lettered", "Records that the store or Kafka refuses for good.",
            law.Law.DeadLettered);
        PrometheusPage.Gauge(page, "metricstream_batches_queued", "Acknowledged batches in Kafka that wait for the store.", law.Law.Queued);
        PrometheusPage.Gauge(page, "metricstream_batches_spilled", "Acknowledged batches that wait for Kafka.", law.Law.Spilled);
        PrometheusPage.Gauge(page, "metricstream_batches_missing", "What the conservation law cannot account for; 0 at rest.", law.Missing);
        PrometheusPage.Gauge(page, "metricstream_queue_bytes", "Bytes of the spill on disk.", counters.SpillBytes);
        PrometheusPage.Gauge(page, "metricstream_queue_max_bytes", "Bytes at which intake answers 503.", state.MaxQueueBytes);
        PrometheusPage.Gauge(page, "metricstream_queue_oldest_seconds", "Age of the oldest batch in the spill.",
            counters.OldestAge.TotalSeconds);
        PrometheusPage.Counter(page, "metricstream_intake_parse_seconds_total", "Time in validating acknowledged batches.",
            times.Parse.TotalSeconds);
        PrometheusPage.Counter(page, "metricstream_intake_durable_seconds_total", "Time acknowledged batches waited to be durable, summed.",
            times.Durable.TotalSeconds);
        PrometheusPage.Gauge(page, "metricstream_ready", "1 when a batch posted now can be made durable.", state.NotReady() is null ? 1 : 0);
        context.Response.ContentType = PrometheusPage.ContentType;
        await context.Response.WriteAsync(page.ToString(), context.RequestAborted);
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, int? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

#pragma warning disable CA1308 // For people and programs in lower case; nothing is compared with it.
    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
#pragma warning restore CA1308
}
