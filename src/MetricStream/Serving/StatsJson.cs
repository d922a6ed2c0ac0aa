using System.Text.Json;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Storing;
using MetricStream.Streaming;

namespace MetricStream.Serving;

/// <summary>The answers of <c>/api/stats</c> and <c>/api/stats/history</c>.</summary>
internal sealed class StatsJson(IServerState state, IntakeTimes times, ServerPulse pulse, StreamHub? stream, TimeProvider time)
{
    private readonly long _startedAt = time.GetTimestamp();

    public Gate Gate { get; init; } = Gate.Open;

    public void Write(Utf8JsonWriter json, in ConservationLaw law, IReadOnlyList<ClientCounters> clients)
    {
        json.WriteStartObject();
        WriteState(json);
        WriteLaw(json, law);
        json.WriteNumber("missing", law.Missing);
        WriteClients(json, clients);
        WriteRates(json);
        WriteLatency(json);
        WriteIntake(json);
        state.WriteQueue(json, law, pulse);
        state.WriteStore(json);
        WriteAdmission(json);
        json.WriteStartObject("stream");
        json.WriteNumber("subscribers", stream?.Subscribers ?? 0);
        json.WriteNumber("dropped", stream?.Dropped ?? 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    internal static void WriteValue(Utf8JsonWriter json, double? value)
    {
        if (value is { } number && double.IsFinite(number))
            json.WriteNumberValue(number);
        else
            json.WriteNullValue();
    }

    private static void WriteLaw(Utf8JsonWriter json, in ConservationLaw law)
    {
        json.WriteNumber("acknowledged", law.Acknowledged);
        json.WriteNumber("stored", law.Stored);
        json.WriteNumber("queued", law.Queued);
        json.WriteNumber("spilled", law.Spilled);
        json.WriteNumber("duplicates", law.Duplicates);
        json.WriteNumber("quarantined", law.Quarantined);
        json.WriteNumber("dead_lettered", law.DeadLettered);
        json.WriteNumber("rejected", law.Rejected);
    }

    /// <summary>The seconds of the last five minutes that end after <paramref name="afterUnixMs"/>, by column.</summary>
    public void WriteHistory(Utf8JsonWriter json, long afterUnixMs)
    {
        var seconds = pulse.History().Where(second => second.UnixMs > afterUnixMs).ToList();
        json.WriteStartObject();
        Column("time", second => second.UnixMs);
        Column("in", second => Math.Round(second.Rates.In, 1));
        Column("acknowledged", second => Math.Round(second.Rates.Acknowledged, 1));
        Column("stored", second => Math.Round(second.Rates.Stored, 1));
        Column("refused", second => Math.Round(second.Rates.Refused, 1));
        Column("p50_ms", second => second.Total.P50?.TotalMilliseconds);
        Column("p99_ms", second => second.Total.P99?.TotalMilliseconds);
        Column("queued", second => second.Queued);
        Column("spilled", second => second.Spilled);
        Column("queue_bytes", second => second.QueueBytes);
        json.WriteEndObject();

        void Column(string name, Func<PulseSecond, double?> value)
        {
            json.WriteStartArray(name);
            foreach (var second in seconds)
                WriteValue(json, value(second));
            json.WriteEndArray();
        }
    }

    private void WriteState(Utf8JsonWriter json)
    {
        var reason = state.NotReady();
        json.WriteString("state", state.Word);
        json.WriteBoolean("ready", reason is null);
        json.WriteString("not_ready", reason);
        json.WriteNumber("uptime_seconds", Math.Round(time.GetElapsedTime(_startedAt).TotalSeconds, 1));
        json.WriteNumber("now", time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    private void WriteAdmission(Utf8JsonWriter json)
    {
        json.WriteStartObject("admission");
        json.WriteNumber("keys", Gate.Keys);
        json.WriteNumber("rate_limit", Gate.PerSecond);
        json.WriteNumber("unauthorized", Gate.Unauthorized);
        json.WriteNumber("forbidden", Gate.Forbidden);
        json.WriteNumber("rate_limited", Gate.Limited);
        json.WriteString("trouble", Gate.Trouble);
        json.WriteNumber("connections", Gate.Connections.Open);
        json.WriteNumber("max_connections", Gate.Connections.Most);
        json.WriteNumber("connections_refused", Gate.Connections.Refused);
        json.WriteEndObject();
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
            json.WriteString("last_error", client.LastRefusal);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteRates(Utf8JsonWriter json)
    {
        json.WriteStartObject("rates");
        json.WriteNumber("window_seconds", ServerPulse.RateSeconds);
        if (pulse.Rates() is { } rates)
        {
            json.WriteNumber("in", Math.Round(rates.In, 1));
            json.WriteNumber("acknowledged", Math.Round(rates.Acknowledged, 1));
            json.WriteNumber("stored", Math.Round(rates.Stored, 1));
            json.WriteNumber("refused", Math.Round(rates.Refused, 1));
        }
        json.WriteEndObject();
    }

    private void WriteLatency(Utf8JsonWriter json)
    {
        var latency = pulse.Latency();
        json.WriteStartObject("latency");
        json.WriteNumber("window_seconds", ServerPulse.LatencySeconds);
        json.WriteNumber("batches", latency.Total.Count);
        Part("total", latency.Total);
        Part("parse", latency.Parse);
        if (pulse.IsBrokers)
        {
            Part("broker", latency.Sync);
        }
        else
        {
            Part("wait", latency.Wait);
            Part("fsync", latency.Sync);
        }
        json.WriteEndObject();

        void Part(string name, Percentiles percentiles)
        {
            json.WriteStartObject(name);
            json.WritePropertyName("p50_ms");
            WriteValue(json, percentiles.P50?.TotalMilliseconds);
            json.WritePropertyName("p99_ms");
            WriteValue(json, percentiles.P99?.TotalMilliseconds);
            json.WriteEndObject();
        }
    }

    private void WriteIntake(Utf8JsonWriter json)
    {
        json.WriteStartObject("intake");
        json.WriteNumber("batches", times.Batches);
        json.WriteNumber("body_seconds", times.Body.TotalSeconds);
        json.WriteNumber("parse_seconds", times.Parse.TotalSeconds);
        json.WriteNumber("durable_seconds", times.Durable.TotalSeconds);
        json.WriteNumber("enqueued_lost", times.EnqueuedLost);
        json.WriteEndObject();
    }
}
