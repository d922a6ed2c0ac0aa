using System.Text.Json;

namespace MetricStream.Load;

/// <summary>The load report as programs read it. Times are in milliseconds; a member is null when it was not measured.</summary>
internal static class LoadReportJson
{
    /// <summary>Raised when a member changes its meaning or goes; new members do not raise it.</summary>
    public const int SchemaVersion = 1;

    public static void Write(Stream stream, LoadOutcome outcome)
    {
        using var json = new Utf8JsonWriter(stream, new() { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("schemaVersion", SchemaVersion);
        json.WriteString("url", outcome.Options.Target.Url.ToString());
        json.WriteString("run_id", outcome.RunId);
        json.WriteNumber("exit_code", outcome.ExitCode);
        json.WriteBoolean("interrupted", outcome.WasInterrupted);
        json.WritePropertyName("result");
        if (outcome.Result is { } result) WriteResult(json, result);
        else json.WriteNullValue();
        json.WritePropertyName("search");
        if (outcome is { Search: { } search, Options.Search: { } bounds }) WriteSearch(json, search, bounds);
        else json.WriteNullValue();
        json.WritePropertyName("verification");
        if (outcome.Verification is { } verification) WriteVerification(json, verification);
        else json.WriteNullValue();
        json.WriteEndObject();
    }

    private static void WriteResult(Utf8JsonWriter json, LoadResult result)
    {
        var tally = result.Tally;
        json.WriteStartObject();
        json.WriteString("loop", result.Shape.Rate is null ? "closed" : "open");
        json.WriteNumber("clients", result.Shape.Clients);
        json.WriteNumber("metrics_per_batch", result.Shape.Metrics);
        if (result.Shape.Rate is { } rate) json.WriteNumber("offered_per_second", rate);
        else json.WriteNull("offered_per_second");
        json.WriteNumber("elapsed_seconds", result.Elapsed.TotalSeconds);
        json.WriteNumber("requests", tally.Finished);
        json.WriteNumber("succeeded", tally.Succeeded);
        json.WriteNumber("failed", tally.Failed);
        json.WriteNumber("never_sent", tally.Unsent);
        json.WriteNumber("abandoned", tally.Abandoned);
        json.WriteNumber("success_rate", result.SuccessRate);
        json.WriteNumber("requests_per_second", result.RequestsPerSecond);
        json.WriteNumber("metrics_per_second", result.MetricsPerSecond);
        WriteLatency(json, "latency_ms", tally.Latency);
        if (result.Shape.Rate is not null) WriteLatency(json, "send_lag_ms", tally.SendLag);
        json.WriteStartObject("status_codes");
        foreach (var (status, count) in tally.Statuses) json.WriteNumber($"{status}", count);
        json.WriteEndObject();
        json.WriteStartObject("errors");
        foreach (var (kind, count) in tally.Failures) json.WriteNumber(LoadTally.NameOf(kind), count);
        json.WriteEndObject();
        json.WriteStartObject("examples");
        foreach (var (kind, example) in tally.Examples) json.WriteString(kind, example);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteLatency(Utf8JsonWriter json, string name, LatencyHistogram latency)
    {
        json.WriteStartObject(name);
        json.WriteNumber("count", latency.Count);
        json.WriteNumber("min", latency.Min.TotalMilliseconds);
        json.WriteNumber("mean", latency.Mean.TotalMilliseconds);
        json.WriteNumber("p50", latency.Percentile(50).TotalMilliseconds);
        json.WriteNumber("p90", latency.Percentile(90).TotalMilliseconds);
        json.WriteNumber("p99", latency.Percentile(99).TotalMilliseconds);
        json.WriteNumber("p99_9", latency.Percentile(99.9).TotalMilliseconds);
        json.WriteNumber("max", latency.Max.TotalMilliseconds);
        json.WriteEndObject();
    }

    private static void WriteSearch(Utf8JsonWriter json, RateSearch search, SearchBounds bounds)
    {
        json.WriteStartObject();
        json.WriteNumber("p99_bound_ms", bounds.P99.TotalMilliseconds);
        json.WriteNumber("step_seconds", bounds.Step.TotalSeconds);
        if (search.Best is { } best) json.WriteNumber("highest_rate", best.Rate);
        else json.WriteNull("highest_rate");
        json.WriteStartArray("steps");
        foreach (var step in search.Steps)
        {
            json.WriteStartObject();
            json.WriteNumber("rate", step.Rate);
            json.WriteBoolean("held", step.Holds);
            json.WriteString("refusal", step.Refusal);
            json.WritePropertyName("result");
            WriteResult(json, step.Result);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteVerification(Utf8JsonWriter json, VerificationReport report)
    {
        json.WriteStartObject();
        json.WriteBoolean("clean", report.IsClean);
        json.WriteNumber("acknowledged", report.Acknowledged);
        json.WriteNumber("found", report.Found);
        json.WriteNumber("refused", report.Refused);
        json.WriteNumber("unknown", report.Unknown);
        json.WriteNumber("unknown_stored", report.UnknownStored);
        json.WriteStartObject("anomalies");
        foreach (var anomaly in Enum.GetValues<Anomaly>()) json.WriteNumber(anomaly.ToString().ToLowerInvariant(), report[anomaly]);
        json.WriteEndObject();
        json.WriteStartArray("named");
        foreach (var named in report.Named) json.WriteStringValue(named);
        json.WriteEndArray();
        if (report.Counters is { } counters)
        {
            json.WriteStartObject("conservation");
            json.WriteNumber("acknowledged", counters.Acknowledged);
            json.WriteNumber("stored", counters.Stored);
            json.WriteNumber("queued", counters.Queued);
            json.WriteNumber("spilled", counters.Spilled);
            json.WriteNumber("duplicates", counters.Duplicates);
            json.WriteNumber("quarantined", counters.Quarantined);
            json.WriteNumber("dead_lettered", counters.DeadLettered);
            json.WriteNumber("missing", counters.Missing);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
