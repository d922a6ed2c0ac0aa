using System.Globalization;
using System.Text;
using MetricStream.Admission;
using MetricStream.Intake;

namespace MetricStream.Serving;

/// <summary>The server's own metrics as a page for Prometheus (text format 0.0.4): the law, the queue, intake's time.</summary>
internal static class PrometheusPage
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static string Write(IServerState state, IntakeTimes times, Gate gate)
    {
        var page = new StringBuilder();
        var law = state.Law();
        Counter(page, "metricstream_batches_acknowledged_total", "Batches made durable, acknowledged re-sends included.", law.Acknowledged);
        Counter(page, "metricstream_batches_stored_total", "Batches in the store.", law.Stored);
        Counter(page, "metricstream_batches_duplicate_total", "Acknowledged re-sends of known batches.", law.Duplicates);
        Counter(page, "metricstream_batches_quarantined_total", "Records that the disk damaged.", law.Quarantined);
        Counter(page, "metricstream_batches_rejected_total", "Batches refused with a reason.", law.Rejected);
        Gauge(page, "metricstream_batches_dead_lettered", "Records that the store refuses for good.", law.DeadLettered);
        Gauge(page, "metricstream_batches_queued", "Acknowledged batches that wait for the store.", law.Queued);
        Gauge(page, "metricstream_batches_spilled", "Acknowledged batches that wait for Kafka.", law.Spilled);
        Gauge(page, "metricstream_batches_missing", "What the conservation law cannot account for; 0 at rest.", law.Missing);
        Gauge(page, "metricstream_queue_max_bytes", "Bytes at which intake answers 503.", state.MaxQueueBytes);
        state.WriteMetrics(page, law);
        Counter(page, "metricstream_intake_parse_seconds_total", "Time in validating acknowledged batches.", times.Parse.TotalSeconds);
        Counter(page, "metricstream_intake_durable_seconds_total", "Time acknowledged batches waited to be durable, summed.",
            times.Durable.TotalSeconds);
        Counter(page, "metricstream_unauthorized_total", "Requests without a key that is known.", gate.Unauthorized);
        Counter(page, "metricstream_forbidden_total", "Requests with a key that may not do what was asked.", gate.Forbidden);
        Counter(page, "metricstream_rate_limited_total", "Posts over the client's rate.", gate.Limited);
        Gauge(page, "metricstream_connections", "Open connections.", gate.Connections.Open);
        Gauge(page, "metricstream_connections_max", "Open connections at which one more is closed.", gate.Connections.Most);
        Counter(page, "metricstream_connections_refused_total", "Connections closed for being one too many.", gate.Connections.Refused);
        Gauge(page, "metricstream_admission_stale", "1 while keys and rate limit in force are not those of the files.",
            gate.Trouble is null ? 0 : 1);
        Gauge(page, "metricstream_ready", "1 when a batch posted now can be made durable.", state.NotReady() is null ? 1 : 0);
        return page.ToString();
    }

    public static void Counter(StringBuilder page, string name, string help, double value) => Line(page, name, help, "counter", value);

    public static void Gauge(StringBuilder page, string name, string help, double value) => Line(page, name, help, "gauge", value);

    private static void Line(StringBuilder page, string name, string help, string type, double value) => page
        .Append("# HELP ").Append(name).Append(' ').Append(help).Append('\n')
        .Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n')
        .Append(name).Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
}
