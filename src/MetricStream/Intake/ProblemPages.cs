namespace MetricStream.Intake;

/// <summary>Gives the errors of routing (no such route, no such method) a problem as their body.</summary>
internal static class ProblemPages
{
    /// <summary>What a route that reads takes: HEAD wherever GET, as RFC 9110 asks; Kestrel leaves the body out.</summary>
    public static readonly string[] Reads = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Add it right after routing: a request that found a route passes with one type check.</summary>
    public static void UseProblemPages(this IApplicationBuilder app) =>
        app.Use(next => context => context.GetEndpoint() is RouteEndpoint ? next(context) : AnswerAsync(context, next));

    private static async Task AnswerAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        var response = context.Response;
        if (response.HasStarted || response.StatusCode < 400 || response.ContentType is not null)
            return;
        var request = context.Request;
        await new Problem(response.StatusCode, response.StatusCode switch
        {
            StatusCodes.Status404NotFound => $"There is nothing at {request.Path}.",
            StatusCodes.Status405MethodNotAllowed => $"{request.Path} does not take {request.Method}. The Allow header says what it takes.",
            _ => $"{request.Method} {request.Path} is refused.",
        }).WriteAsync(context);
    }
}
