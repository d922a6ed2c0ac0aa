using System.Text;
using MetricStream.Intake;
using MetricStream.Storing;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace MetricStream.Streaming;

/// <summary><c>GET /stream?name=</c>: the points of one metric, or of all, as server-sent events while they arrive.</summary>
internal sealed partial class StreamEndpoint(StreamHub hub, StreamOptions options, ILogger log)
{
    public const string Path = "/stream";

    private const string ContentType = "text/event-stream";
    private const int RetryFullSeconds = 10;

    // How long a browser waits before it comes back.
    private static readonly byte[] Welcome = Encoding.ASCII.GetBytes(": MetricStream\nretry: 2000\n\n");

    private static readonly byte[] WelcomeAnew = Encoding.ASCII.GetBytes(
        ": the Last-Event-ID is none of this server's log; what follows is what is new\nretry: 2000\n\n");

    public void Map(IEndpointRouteBuilder routes) => routes.MapMethods(Path, ProblemPages.Reads, (RequestDelegate)AnswerAsync);

    private async Task AnswerAsync(HttpContext context)
    {
        // 1. What it asks for.
        var parameters = new QueryParameters(context.Request.Query);
        var name = parameters.Text("name");
        if (parameters.Errors.Count > 0)
        {
            await new Problem(StatusCodes.Status422UnprocessableEntity, parameters.Errors[0].Message)
            {
                Errors = [.. parameters.Errors.Select(error => new BatchError(null, error.Field, error.Code))],
            }.WriteAsync(context);
            return;
        }

        var lastEventId = context.Request.Headers["Last-Event-ID"].ToString();
        var from = lastEventId.Length > 0 ? hub.Read(lastEventId) : null;
        Prepare(context);
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        // 2. From here on it misses nothing.
        var subscriber = hub.TryJoin(context.Response.BodyWriter, name, from);
        if (subscriber is null)
        {
            await new Problem(StatusCodes.Status503ServiceUnavailable,
                $"This server streams to {options.MaxSubscribers} subscribers at most, or is stopping. Come back later.")
            {
                RetryAfterSeconds = RetryFullSeconds,
            }.WriteAsync(context);
            return;
        }

        // 3. The hub writes, this request only waits for the end.
        using (context.RequestAborted.Register(subscriber.End))
        {
            subscriber.TryWrite(from is not null || lastEventId.Length == 0 ? Welcome : WelcomeAnew);
            await subscriber.Ended;
        }

        if (subscriber.IsCut)
        {
            LogCut(options.StuckAfter.TotalSeconds);
            context.Abort();
        }

        await hub.LeaveAsync(subscriber);
    }

    private void Prepare(HttpContext context)
    {
        context.Response.ContentType = ContentType;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no"; // Else nginx keeps events back until its buffer is full.
        // The hub has its own limit, and a quiet stream is no slow one.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        // Megabytes of buffered frames would hide a slow browser for minutes and show it the past.
        if (context.Features.Get<IConnectionSocketFeature>() is { Socket: { } socket })
            socket.SendBufferSize = options.SendBufferBytes;
    }

    [LoggerMessage(122, LogLevel.Information, "A subscriber of the stream took nothing for {Seconds} s and was cut.")]
    private partial void LogCut(double seconds);
}
