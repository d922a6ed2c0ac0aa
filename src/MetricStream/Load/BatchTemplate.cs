using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace MetricStream.Load;

/// <summary>
/// A batch template is the request one client sends again and again, as bytes, with the batch's number patched into its id and values.
/// What a batch holds follows from (run, client, number) alone, so that verification needs no memory of what was sent.
/// </summary>
internal sealed class BatchTemplate
{
    private const int NumberDigits = 10;
    private static readonly string NumberMark = new('#', NumberDigits);
    private static readonly string[] KnownNames = ["cpu_usage", "memory_usage", "requests_total"];

    private readonly byte[] _request;
    private readonly int[] _numberOffsets;
    private readonly Range _metrics;

    public BatchTemplate(LoadTarget target, string runId, int client, int metrics)
    {
        ClientId = target.ClientId ?? ClientIdOf(runId, client);
        var list = MetricsOf(client, metrics, target.Names);
        var body = "{\"metrics\":" + list + "}";
        var head = new StringBuilder()
            .Append("POST ").Append(target.PathOf("/metrics")).Append(" HTTP/1.1\r\n")
            .Append("Host: ").Append(target.Url.Authority).Append("\r\n")
            .Append("Content-Type: application/json\r\n")
            .Append("Idempotency-Key: ").Append(BatchIdPrefix(runId, client)).Append(NumberMark).Append("\r\n");
        if (target.ApiKey is not null) head.Append("Authorization: Bearer ").Append(target.ApiKey).Append("\r\n");
        // With a key the server knows the client; a made-up name would be a foreign one and refused.
        if (target.ApiKey is null || target.ClientId is not null) head.Append("X-Client-Id: ").Append(ClientId).Append("\r\n");
        head.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n\r\n");
        var text = head.Append(body).ToString();
        _request = Encoding.ASCII.GetBytes(text);
        _numberOffsets = [.. OffsetsOf(text, NumberMark)];
        _metrics = (_request.Length - 1 - list.Length)..(_request.Length - 1);
    }

    public string ClientId { get; }

    public static string ClientIdOf(string runId, int client) => string.Create(CultureInfo.InvariantCulture, $"load-{runId}-{client}");

    public static string BatchIdPrefix(string runId, int client) => string.Create(CultureInfo.InvariantCulture, $"{runId}-{client}-");

    public static string BatchId(string runId, int client, int number) =>
        BatchIdPrefix(runId, client) + number.ToString("D10", CultureInfo.InvariantCulture);

    /// <summary>Reads back the client and the number of a batch id of this run; false for any other text.</summary>
    public static bool TryReadBatchId(string runId, string batchId, out int client, out int number)
    {
        client = number = 0;
        if (!batchId.StartsWith(runId + "-", StringComparison.Ordinal)) return false;
        var rest = batchId.AsSpan(runId.Length + 1);
        var dash = rest.IndexOf('-');
        return dash > 0
            && int.TryParse(rest[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out client)
            && int.TryParse(rest[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && batchId == BatchId(runId, client, number);
    }

    /// <summary>The whole request for a batch; valid until the next call on this template.</summary>
    public ReadOnlyMemory<byte> Request(int number)
    {
        Patch(number);
        return _request;
    }

    /// <summary>The JSON array of a batch's metrics; valid until the next call on this template.</summary>
    public ReadOnlySpan<byte> Metrics(int number)
    {
        Patch(number);
        return _request.AsSpan(_metrics);
    }

    private static string MetricsOf(int client, int metrics, int? names)
    {
        var list = new StringBuilder("[");
        for (var i = 0; i < metrics; i++)
        {
            var name = names is { } many ? string.Create(CultureInfo.InvariantCulture, $"load_metric_{((client * metrics) + i) % many}")
                : i < KnownNames.Length ? KnownNames[i] : string.Create(CultureInfo.InvariantCulture, $"load_metric_{i}");
            var isCounter = i % 3 == 2;
            // Gauges move between two whole numbers, counters grow with the batch; both carry the number, so that no two batches are alike.
            var value = isCounter ? "1" + NumberMark : string.Create(CultureInfo.InvariantCulture, $"{10 + (i % 90)}.{NumberMark}");
            if (i > 0) list.Append(',');
            var type = isCounter ? "counter" : "gauge";
            list.Append($$$"""{"name":"{{{name}}}","value":{{{value}}},"type":"{{{type}}}","tags":{"host":"load-{{{client}}}"}}""");
        }
        return list.Append(']').ToString();
    }

    private static IEnumerable<int> OffsetsOf(string text, string mark)
    {
        for (var at = 0; (at = text.IndexOf(mark, at, StringComparison.Ordinal)) >= 0; at += mark.Length) yield return at;
    }

    private void Patch(int number)
    {
        Span<byte> digits = stackalloc byte[NumberDigits];
        Utf8Formatter.TryFormat(number, digits, out _, new('D', NumberDigits));
        foreach (var offset in _numberOffsets) digits.CopyTo(_request.AsSpan(offset));
    }
}
