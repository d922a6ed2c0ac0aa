using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;

namespace MetricStream.Load;

/// <summary>The server gave no answer that verification can be built on; the message says what was asked, what came, and what
/// helps.</summary>
internal sealed class UnverifiableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What the server answered; null when it did not, or not in time.</summary>
    public int? Status { get; init; }
}

/// <summary>The conservation law's counters, in batches, as <c>/api/stats</c> told them.</summary>
internal sealed record ServerCounters(
    long Acknowledged, long Stored, long Queued, long Spilled, long Duplicates, long Quarantined, long DeadLettered)
{
    /// <summary>Acknowledged by other servers of the group, and stored or queued by this one.</summary>
    public long HandedIn { get; init; }

    /// <summary>Acknowledged by this server, and stored or queued by others.</summary>
    public long HandedOver { get; init; }

    /// <summary>What was acknowledged and is nowhere: 0 at rest, or the law is broken.</summary>
    public long Missing => Acknowledged + HandedIn - HandedOver - Stored - Queued - Spilled - Duplicates - Quarantined - DeadLettered;

    /// <summary>Nothing acknowledged is still on its way to the store.</summary>
    public bool IsAtRest => Queued == 0 && Spilled == 0;

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"acknowledged {Acknowledged}{Handed} = stored {Stored} + queued {Queued} + spilled {Spilled} + duplicates {Duplicates} "
        + $"+ quarantined {Quarantined} + dead_lettered {DeadLettered}, missing {Missing}");

    private string Handed => (HandedIn, HandedOver) == (0, 0) ? "" : $" + handed in {HandedIn} - handed over {HandedOver}";
}

/// <summary>A batch as the server lists it: its id and the JSON array of its metrics.</summary>
internal sealed record ListedBatch(string BatchId, JsonElement Metrics);

/// <summary>
/// The server's read side, as far as verification needs it. Every call throws <see cref="UnverifiableException"/> when the server cannot be
/// reached or answers anything but what the route promises.
/// </summary>
internal sealed class ServerApi : IDisposable
{
    private readonly LoadTarget _target;
    private readonly HttpClient _http;

    public ServerApi(LoadTarget target)
    {
        _target = target;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = target.RequestTimeout };
        if (target.CertificateValidation is not null) handler.SslOptions.RemoteCertificateValidationCallback = target.CertificateValidation;
        _http = new(handler) { Timeout = target.RequestTimeout };
        if (target.ApiKey is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", target.ApiKey);
    }

    /// <summary>The client that the key posts for; null when the server asks for no keys.</summary>
    public async Task<string?> ClientOfKeyAsync(CancellationToken cancellation)
    {
        const string Route = "/api/key";
        try
        {
            using var document = await GetAsync(Route, cancellation);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("client", out var client)
                && client.ValueKind == JsonValueKind.String
                ? client.GetString() : throw new UnverifiableException($"GET {Route} names no client: no metricstream.");
        }
        catch (UnverifiableException none) when (none.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Null when the key may not read them.</summary>
    public async Task<ServerCounters?> CountersIfAllowedAsync(CancellationToken cancellation)
    {
        try
        {
            return await CountersAsync(cancellation);
        }
        catch (UnverifiableException refused) when (refused.Status == 403)
        {
            return null;
        }
    }

    public async Task<ServerCounters> CountersAsync(CancellationToken cancellation)
    {
        const string Route = "/api/stats";
        using var document = await GetAsync(Route, cancellation);
        return new(
            Number("acknowledged"), Number("stored"), Number("queued"), Number("spilled"),
            Number("duplicates"), Number("quarantined"), Number("dead_lettered"))
        {
            HandedIn = OfTheGroup("handed_in"),
            HandedOver = OfTheGroup("handed_over"),
        };

        long Number(string member) =>
            document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty(member, out var value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number)
                ? number
                : throw new UnverifiableException($"GET {Route} has no number '{member}': no metricstream, or one without a store.");

        // Only where servers can share the work.
        long OfTheGroup(string member) =>
            document.RootElement.TryGetProperty("queue", out var queue) && queue.ValueKind == JsonValueKind.Object
            && queue.TryGetProperty(member, out var value) && value.TryGetInt64(out var number)
                ? number
                : 0;
    }

    /// <summary>One page of a client's stored batches, oldest first, after the batch id <paramref name="after"/>. The caller disposes
    /// it.</summary>
    public async Task<BatchPage> BatchesAsync(string clientId, string? after, int limit, CancellationToken cancellation)
    {
        var route = $"/api/clients/{Uri.EscapeDataString(clientId)}/batches?limit={limit}";
        if (after is not null) route += "&after=" + Uri.EscapeDataString(after);
        var document = await GetAsync(route, cancellation);
        try
        {
            return new(document, [.. document.RootElement.EnumerateArray().Select(Listed)]);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            document.Dispose();
            throw new UnverifiableException($"GET {route} is no array of {{\"batch_id\",\"metrics\"}}: {e.Message}", e);
        }
    }

    public void Dispose() => _http.Dispose();

    private static ListedBatch Listed(JsonElement batch) => new(
        batch.GetProperty("batch_id").GetString() ?? throw new InvalidOperationException("a batch_id is null."),
        batch.GetProperty("metrics"));

    private async Task<JsonDocument> GetAsync(string route, CancellationToken cancellation)
    {
        var address = new Uri(_target.Url.GetLeftPart(UriPartial.Authority) + _target.PathOf(route));
        try
        {
            using var response = await _http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellation);
            var status = (int)response.StatusCode;
            if (status != 200) throw new UnverifiableException($"GET {route} answered {status}{FixFor(status)}") { Status = status };
            await using var body = await response.Content.ReadAsStreamAsync(cancellation);
            return await JsonDocument.ParseAsync(body, default, cancellation);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new UnverifiableException($"GET {address} failed: {e.Message}", e);
        }
    }

    private static string FixFor(int status) => status switch
    {
        401 or 403 => ": name a key that may read it with --api-key.",
        404 => ": the server has no store (--store none) or is no metricstream.",
        _ => ".",
    };
}

/// <summary>A page of stored batches; it owns the memory they point into.</summary>
internal sealed class BatchPage(JsonDocument document, IReadOnlyList<ListedBatch> batches) : IDisposable
{
    public IReadOnlyList<ListedBatch> Batches { get; } = batches;

    public void Dispose() => document.Dispose();
}
