using System.Text.Json;
using MetricStream.Intake;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary><c>/api/stats</c>, <c>GET /metrics</c> and the health routes.</summary>
internal sealed class StateEndpoints(ServerState state, IntakeTimes times, TimeProvider time)
{
    private const int ClientsListed = 1000;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/health/live", ProblemPages.Reads, (RequestDelegate)(context => AnswerAsync(context, null)));
        routes.MapMethods("/health/ready", ProblemPages.Reads, (RequestDelegate)(context => AnswerAsync(context, state.NotReady())));
        routes.MapMethods("/api/stats", ProblemPages.Reads, (RequestDelegate)StatsAsync);
        routes.MapMethods("/metrics", ProblemPages.Reads, (RequestDelegate)MetricsAsync);
    }

    private static Task AnswerAsync(HttpContext context, string? reason)
    {
        context.Response.StatusCode = reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync(reason ?? "ok", context.RequestAborted);
    }

    private async Task MetricsAsync(HttpContext context)
    {
        string page;
        try
        {
            page = PrometheusPage.Write(state, times, time);
        }
        catch (StoreUnavailableException unavailable)
        {
            await UnavailableAsync(context, unavailable);
            return;
        }
        context.Response.ContentType = PrometheusPage.ContentType;
        await context.Response.WriteAsync(page, context.RequestAborted);
    }

    private static Task UnavailableAsync(HttpContext context, StoreUnavailableException unavailable) =>
        new Problem(StatusCodes.Status503ServiceUnavailable, unavailable.Message) { RetryAfterSeconds = 1 }.WriteAsync(context);

    private async Task StatsAsync(HttpContext context)
    {
        ConservationLaw law;
        IReadOnlyList<ClientCounters> clients;
        try
        {
            (law, clients) = (state.Law(), state.Clients(ClientsListed));
        }
        catch (StoreUnavailableException unavailable)
        {
            await UnavailableAsync(context, unavailable);
            return;
        }
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        Write(json, law, clients);
        await json.FlushAsync(context.RequestAborted);
    }

    private void Write(Utf8JsonWriter json, in ConservationLaw law, IReadOnlyList<ClientCounters> clients)
    {
        json.WriteStartObject();
        json.WriteNumber("acknowledged", law.Acknowledged);
        json.WriteNumber("stored", law.Stored);
        json.WriteNumber("queued", law.Queued);
        json.WriteNumber("spilled", law.Spilled);
        json.WriteNumber("duplicates", law.Duplicates);
        json.WriteNumber("quarantined", law.Quarantined);
        json.WriteNumber("dead_lettered", law.DeadLettered);
        json.WriteNumber("rejected", law.Rejected);
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
        WriteIntake(json);
        WriteQueue(json, law.Queued);
        WriteStore(json);
        json.WriteEndObject();
    }

    private void WriteIntake(Utf8JsonWriter json)
    {
        json.WriteStartObject("intake");
        json.WriteNumber("batches", times.Batches);
        json.WriteNumber("body_seconds", times.Body.TotalSeconds);
        json.WriteNumber("parse_seconds", times.Parse.TotalSeconds);
        json.WriteNumber("durable_seconds", times.Durable.TotalSeconds);
        json.WriteEndObject();
    }

    private void WriteQueue(Utf8JsonWriter json, long queued)
    {
        var queue = state.Queue;
        var commits = queue.Times;
        json.WriteStartObject("queue");
        json.WriteString("kind", "file");
        json.WriteNumber("bytes", queue.Bytes);
        json.WriteNumber("max_bytes", state.MaxQueueBytes);
        json.WriteNumber("oldest_seconds", state.OldestSeconds(time.GetUtcNow().ToUnixTimeMilliseconds(), queued));
        json.WriteNumber("head", queue.Head);
        json.WriteNumber("acked", queue.Acked);
        json.WriteNumber("durable", queue.Durable);
        json.WriteNumber("tail", queue.Tail);
        json.WriteNumber("groups", commits.Groups);
        json.WriteNumber("write_seconds", commits.Write.TotalSeconds);
        json.WriteNumber("fsync_seconds", commits.Sync.TotalSeconds);
        json.WriteString("fault", queue.Fault?.Message);
        json.WriteEndObject();
    }

    private void WriteStore(Utf8JsonWriter json)
    {
        json.WriteStartObject("store");
        json.WriteString("kind", state.Loop is null ? "none" : "sqlite");
        json.WriteNumber("busy_seconds", state.Loop?.Busy.TotalSeconds ?? 0);
        json.WriteString("trouble", state.Loop?.Trouble);
        json.WriteEndObject();
    }
}
