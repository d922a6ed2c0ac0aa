using MetricStream.Intake;

namespace MetricStream.Serving;

/// <summary>The health routes: alive as long as it answers, ready while <c>notReady</c> has no reason.</summary>
internal static class HealthRoutes
{
    public static void Map(IEndpointRouteBuilder routes, Func<string?> notReady)
    {
        routes.MapMethods("/health/live", ProblemPages.Reads, (RequestDelegate)(context => AnswerAsync(context, null)));
        routes.MapMethods("/health/ready", ProblemPages.Reads, (RequestDelegate)(context => AnswerAsync(context, notReady())));
    }

    private static Task AnswerAsync(HttpContext context, string? reason)
    {
        context.Response.StatusCode = reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync(reason ?? "ok", context.RequestAborted);
    }
}
