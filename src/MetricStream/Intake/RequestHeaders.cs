using System.Text;
using MetricStream.Admission;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace MetricStream.Intake;

/// <summary>What the headers of a <c>POST /metrics</c> say: whether the body is gzip, which client sends, under which batch id.</summary>
internal ref struct RequestHeaders
{
    private const string ClientHeader = "X-Client-Id";
    private const string KeyHeader = "Idempotency-Key";

    /// <summary>Whose client alone the headers may name; null: any.</summary>
    public ApiKey? Caller { get; init; }

    public bool IsGzip { get; private set; }

    /// <summary>The client's tally; null when no header names one.</summary>
    public ClientTally? Client { get; private set; }

    /// <summary>The client's batch id; null when the server is to make one.</summary>
    public BatchId? Key { get; private set; }

    /// <summary>Reads the headers. What was understood before a problem stays readable: the refusal is counted for its client.</summary>
    public Problem? Read(HttpRequest request, IntakeLedger ledger, Gate gate)
    {
        var headers = request.Headers;
        return ReadClient(headers[ClientHeader], ledger, gate)
            ?? CheckMediaType(headers.ContentType)
            ?? ReadCoding(headers.ContentEncoding)
            ?? ReadKey(headers[KeyHeader]);
    }

    private Problem? ReadClient(StringValues values, IntakeLedger ledger, Gate gate)
    {
        if (values.Count == 0)
            return null;
        const string Rule = "The X-Client-Id header must be one client id: 1 to 128 of A-Z a-z 0-9 . _ : @ -, not '.' or '..'.";
        if (values.Count > 1)
            return Problem.OfField(ClientHeader, BatchErrorCode.Repeated, Rule);
        var text = values[0] ?? "";
        if (text.Length > ClientId.MaxBytes)
            return Problem.OfField(ClientHeader, BatchErrorCode.TooLong, Rule);
        Span<byte> id = stackalloc byte[ClientId.MaxBytes];
        if (!Ascii.IsValid(text))
            return Problem.OfField(ClientHeader, BatchErrorCode.BadCharacter, Rule);
        id = id[..Encoding.ASCII.GetBytes(text, id)];
        if (ClientId.Flaw(id) is { } code)
            return Problem.OfField(ClientHeader, code, Rule);
        if (Caller is not null && !id.SequenceEqual(Caller.ClientId))
            return gate.Foreign(Caller, ClientHeader);
        Client = ledger.Client(id);
        return null;
    }

    private static Problem? CheckMediaType(StringValues values)
    {
        if (values.Count == 0 || (values.Count == 1 && values[0] is "application/json" or "application/json; charset=utf-8" or ""))
            return null;
        // A charset changes nothing (RFC 8259, 11): JSON is UTF-8, and a body that is not is refused as such.
        return values.Count == 1
            && MediaTypeHeaderValue.TryParse(values[0], out var type)
            && (type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
                || type.MediaType.Equals("text/json", StringComparison.OrdinalIgnoreCase))
            ? null
            : new Problem(StatusCodes.Status415UnsupportedMediaType, "Send application/json or text/json; it need not be named.");
    }

    private Problem? ReadCoding(StringValues values)
    {
        if (values.Count == 0)
            return null;
        var coding = values.Count == 1 ? (values[0] ?? "").Trim() : "several";
        IsGzip = coding.Equals("gzip", StringComparison.OrdinalIgnoreCase) || coding.Equals("x-gzip", StringComparison.OrdinalIgnoreCase);
        return IsGzip || coding.Length == 0 || coding.Equals("identity", StringComparison.OrdinalIgnoreCase)
            ? null
            : new Problem(StatusCodes.Status415UnsupportedMediaType, "The only Content-Encoding taken is gzip, once.");
    }

    private Problem? ReadKey(StringValues values)
    {
        if (values.Count == 0)
            return null;
        const string Rule = "The Idempotency-Key header must be one batch id: 1 to 128 visible ASCII characters, bare or in quotes.";
        if (values.Count > 1)
            return Problem.OfField(KeyHeader, BatchErrorCode.Repeated, Rule);
        if (BatchId.Parse(values[0] ?? "", out var id) is { } code)
            return Problem.OfField(KeyHeader, code, Rule);
        Key = id;
        return null;
    }
}
