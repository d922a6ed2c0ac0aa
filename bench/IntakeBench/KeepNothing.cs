using System.Buffers;
using System.Text.Json;

namespace IntakeBench;

/// <summary>The peer: the same Kestrel, the same body read to its end, the same JSON read token by token, the same answer, and nothing
/// kept.</summary>
internal static class KeepNothing
{
    private static readonly byte[] Answer =
        """{"batch_id":"01a1fe64-11e1-7eb6-90ce-7c0f5e0938a1","accepted":3,"ack":"durable"}"""u8.ToArray();

    public static async Task RunAsync(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenLocalhost(port);
        });
        var app = builder.Build();
        app.MapPost("/metrics", (RequestDelegate)TakeAsync);
        await app.RunAsync();
    }

    private static async Task TakeAsync(HttpContext context)
    {
        var body = context.Request.BodyReader;
        while (true)
        {
            var read = await body.ReadAsync();
            if (read.IsCompleted)
            {
                context.Response.StatusCode = IsJson(read.Buffer) ? 200 : 400;
                body.AdvanceTo(read.Buffer.End);
                break;
            }
            body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = Answer.Length;
        context.Response.BodyWriter.Write(Answer);
    }

    private static bool IsJson(ReadOnlySequence<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.Number && !reader.TryGetDouble(out _))
                    return false;
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
