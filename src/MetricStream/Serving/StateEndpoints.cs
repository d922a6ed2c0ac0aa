using System.Text.Json;
using MetricStream.Intake;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary><c>/api/stats</c>, <c>GET /metrics</c> and the health routes.</summary>
internal sealed class StateEndpoints(IServerState state, IntakeTimes times, StatsJson stats)
{
    private const int MostClients = 1000;

    public void Map(IEndpointRouteBuilder routes)
    {
        HealthRoutes.Map(routes, state.NotReady);
        routes.MapMethods("/api/stats", ProblemPages.Reads, (RequestDelegate)StatsAsync);
        routes.MapMethods("/api/stats/history", ProblemPages.Reads, (RequestDelegate)HistoryAsync);
        routes.MapMethods("/metrics", ProblemPages.Reads, (RequestDelegate)MetricsAsync);
    }

    private async Task MetricsAsync(HttpContext context)
    {
        string page;
        try
        {
            page = PrometheusPage.Write(state, times, stats.Gate);
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
        var parameters = new QueryParameters(context.Request.Query);
        var listed = parameters.Integer("clients", 0, MostClients, MostClients);
        if (parameters.Errors is [var error, ..])
        {
            await Problem.OfField(error.Field, error.Code, error.Message).WriteAsync(context);
            return;
        }
        ConservationLaw law;
        IReadOnlyList<ClientCounters> clients;
        try
        {
            (law, clients) = (state.Law(), state.Clients(listed));
        }
        catch (StoreUnavailableException unavailable)
        {
            await UnavailableAsync(context, unavailable);
            return;
        }
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        stats.Write(json, law, clients);
        await json.FlushAsync(context.RequestAborted);
    }

    private async Task HistoryAsync(HttpContext context)
    {
        var parameters = new QueryParameters(context.Request.Query);
        var after = parameters.Time("after", 0);
        if (parameters.Errors is [var error, ..])
        {
            await Problem.OfField(error.Field, error.Code, error.Message).WriteAsync(context);
            return;
        }
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        stats.WriteHistory(json, after);
        await json.FlushAsync(context.RequestAborted);
    }
}
