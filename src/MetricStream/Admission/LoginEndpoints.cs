using System.Text;
using System.Text.Json;
using MetricStream.Intake;
using Microsoft.AspNetCore.WebUtilities;

namespace MetricStream.Admission;

/// <summary>How the page's browser gets a key and gives it back: <c>POST /login</c>, <c>POST /logout</c>; and <c>GET /api/key</c>, by which
/// a holder learns whose the key is.</summary>
internal sealed class LoginEndpoints(Gate gate)
{
    private const int MostBodyBytes = 8192;
    private const string Member = "key";

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(RouteAccess.LoginPath, LoginAsync);
        routes.MapPost(RouteAccess.LogoutPath, LogoutAsync);
        routes.MapMethods(RouteAccess.KeyPath, ProblemPages.Reads, (RequestDelegate)TellAsync);
    }

    private async Task LoginAsync(HttpContext context)
    {
        var problem = FromElsewhere(context.Request);
        ApiKey? caller = null;
        string? text = null;
        if (problem is null)
        {
            text = Gate.KeyOf(context.Request.Headers) ?? await ReadAsync(context);
            caller = text is null ? null : gate.Find(text);
            problem = text is null
                ? Problem.OfField(Member, BatchErrorCode.Missing, "Send the key as {\"key\":\"…\"}, as the form field key, or in a header.")
                : caller is null ? gate.WrongKey()
                : caller.Reads ? null
                : gate.Refuse($"The key of client '{caller.Client}' has not the role read, which the page needs.");
        }
        if (problem is not null)
        {
            await problem.WriteAsync(context);
            return;
        }
        KeyCookie.Give(context, text!);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task LogoutAsync(HttpContext context)
    {
        if (FromElsewhere(context.Request) is { } problem)
        {
            await problem.WriteAsync(context);
            return;
        }
        KeyCookie.TakeBack(context);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task TellAsync(HttpContext context)
    {
        if (gate.AdmitReader(context.Request, out var caller) is { } problem)
        {
            await problem.WriteAsync(context);
            return;
        }
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("client", caller!.Client);
        json.WriteBoolean("reads", caller.Reads);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }

    /// <summary>Browsers say where a request was made (Fetch Metadata): no other site logs anybody in or out.</summary>
    private Problem? FromElsewhere(HttpRequest request) =>
        request.Headers["Sec-Fetch-Site"].ToString() is "" or "same-origin" or "none"
            ? null : gate.Refuse("Another site made this request. Log in on the page itself.");

    private static async Task<string?> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        var buffer = new byte[MostBodyBytes];
        while (body.Length <= MostBodyBytes && await context.Request.Body.ReadAsync(buffer, context.RequestAborted) is > 0 and var read)
            body.Write(buffer, 0, read);
        return body.Length > MostBodyBytes ? null : KeyIn(body.ToArray());
    }

    // What curl, a form and a script send; the media type is often not what was meant.
    private static string? KeyIn(byte[] body)
    {
        if (body.AsSpan().TrimStart(" \t\r\n"u8) is not [(byte)'{', ..])
        {
            return QueryHelpers.ParseQuery(Encoding.UTF8.GetString(body)).TryGetValue(Member, out var field)
                && field is [{ Length: > 0 } value] ? value : null;
        }
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.TryGetProperty(Member, out var key) && key.ValueKind == JsonValueKind.String
                && key.GetString() is { Length: > 0 } text ? text : null;
        }
        catch (JsonException)
        {
            return null; // Answered as a body without a key.
        }
    }
}
