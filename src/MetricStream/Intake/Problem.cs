using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace MetricStream.Intake;

/// <summary>A refusal as the client is told of it: RFC 9457 problem details.</summary>
internal sealed record Problem(int Status, string Detail)
{
    public const string MediaType = "application/problem+json";

    public IReadOnlyList<BatchError>? Errors { get; init; }

    public int? RetryAfterSeconds { get; init; }

    /// <summary>How to show a key, for <c>WWW-Authenticate</c>.</summary>
    public string? Challenge { get; init; }

    /// <summary>The connection is not used again: the server stops, or the rest of the body is not wanted.</summary>
    public bool ClosesConnection { get; init; }

    public static Problem OfField(string field, string code, string detail) =>
        new(StatusCodes.Status422UnprocessableEntity, detail) { Errors = [new BatchError(null, field, code)] };

    /// <summary>Sends the problem as the whole answer. Nothing may have been sent before.</summary>
    public async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = Status;
        response.ContentType = MediaType;
        if (RetryAfterSeconds is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (Challenge is not null)
            response.Headers.WWWAuthenticate = Challenge;
        if (ClosesConnection && HttpProtocol.IsHttp11(context.Request.Protocol))
            response.Headers.Connection = "close";
        using (var json = new Utf8JsonWriter(response.BodyWriter))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "about:blank"u8);
            json.WriteString("title"u8, ReasonPhrases.GetReasonPhrase(Status));
            json.WriteNumber("status"u8, Status);
            json.WriteString("detail"u8, Detail);
            if (Errors is not null)
                WriteErrors(json, Errors);
            json.WriteEndObject();
        }

        await response.CompleteAsync();
    }

    private static void WriteErrors(Utf8JsonWriter json, IReadOnlyList<BatchError> errors)
    {
        json.WriteStartArray("errors"u8);
        foreach (var error in errors)
        {
            json.WriteStartObject();
            if (error.Index is { } index)
                json.WriteNumber("index"u8, index);
            json.WriteString("field"u8, error.Field);
            json.WriteString("code"u8, error.Code);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
