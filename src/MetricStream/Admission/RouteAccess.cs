using MetricStream.Intake;

namespace MetricStream.Admission;

/// <summary>What a route asks of a key, where keys are asked for: the whole table is here. A route that is not in it needs a <c>:read</c>
/// key.</summary>
internal static class RouteAccess
{
    public const string KeyPath = "/api/key";
    public const string LoginPath = "/login";
    public const string LogoutPath = "/logout";

    private const string PageFiles = "/page/";
    private const string OwnBatches = "/api/clients/{client}/batches";

    // They show nothing that a key protects.
    private static readonly string[] Open = ["/health/live", "/health/ready", "/", LoginPath, LogoutPath];

    /// <summary>Add it behind routing, and only where keys are asked for.</summary>
    public static void UseKeys(this IApplicationBuilder app, Gate gate) => app.Use(next => context => CheckAsync(context, gate, next));

    private static async Task CheckAsync(HttpContext context, Gate gate, RequestDelegate next)
    {
        var pattern = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
        // Intake asks by itself: a post that is refused is counted for its client.
        if (IsOpen(pattern) || (pattern == MetricsEndpoint.Path && HttpMethods.IsPost(context.Request.Method)))
        {
            await next(context);
            return;
        }
        var problem = gate.AdmitReader(context.Request, out var caller) ?? Check(context, pattern, caller!, gate);
        if (problem is not null)
        {
            await problem.WriteAsync(context);
            return;
        }
        // A stream, or a long answer, ends with its key.
        using (caller!.Revoked.UnsafeRegister(static context => ((HttpContext)context!).Abort(), context))
            await next(context);
    }

    private static bool IsOpen(string? pattern) =>
        pattern is not null && (Open.Contains(pattern) || pattern.StartsWith(PageFiles, StringComparison.Ordinal));

    // Without a pattern nothing is there (404), or not with this method (405): every key may know.
    private static Problem? Check(HttpContext context, string? pattern, ApiKey caller, Gate gate)
    {
        if (caller.Reads || pattern is null or KeyPath)
            return null;
        if (pattern == OwnBatches && (string?)context.Request.RouteValues["client"] == caller.Client)
            return null;
        return gate.Refuse(
            $"The key of client '{caller.Client}' posts, and lists its own batches; to read more, use a key with the role read.");
    }
}
