using System.Diagnostics;
using MetricStream.Intake;

namespace MetricStream.Telemetry;

/// <summary>The span of one post, begun only where somebody listens: a child of the sender's span, and the parent of what Kafka is sent.
/// </summary>
internal static class IntakeTrace
{
    public const string SourceName = "MetricStream";

    private const string Operation = "POST " + MetricsEndpoint.Path;

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Null where nobody listens, or this one is not sampled.</summary>
    public static Activity? Start(HttpRequest request)
    {
        if (!Source.HasListeners())
            return null;
        var headers = request.Headers;
        ActivityContext.TryParse(headers.TraceParent, headers.TraceState, isRemote: true, out var parent);
        var span = Source.StartActivity(Operation, ActivityKind.Server, parent);
        span?.SetTag("http.request.method", HttpMethods.Post).SetTag("url.path", MetricsEndpoint.Path)
            .SetTag("http.route", MetricsEndpoint.Path);
        return span;
    }

    /// <summary>What was acknowledged, on the span of this post.</summary>
    public static void Acknowledged(ClientTally client, in Posting posting, BatchHold hold)
    {
        if (Activity.Current is not { } span || span.Source != Source)
            return;
        Span<byte> id = stackalloc byte[BatchId.MaxBytes];
        span.SetTag("metricstream.client", client.Name)
            .SetTag("metricstream.batch_id", System.Text.Encoding.ASCII.GetString(id[..posting.Id.Write(id)]))
            .SetTag("metricstream.metrics", posting.MetricCount)
            .SetTag("metricstream.hold", hold.ToString());
    }

    /// <summary>How the post was answered.</summary>
    public static void End(Activity? span, HttpContext context, Problem? problem)
    {
        if (span is null)
            return;
        span.SetTag("http.response.status_code", problem?.Status ?? context.Response.StatusCode);
        // A 4xx is the sender's: by the conventions no error of a server's span.
        if (problem?.Status >= StatusCodes.Status500InternalServerError)
            span.SetStatus(ActivityStatusCode.Error, problem.Detail);
        else if (problem is not null)
            span.SetTag("error.type", problem.Status.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}
