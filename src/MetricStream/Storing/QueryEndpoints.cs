using System.Text.Encodings.Web;
using System.Text.Json;
using MetricStream.Intake;
using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>
/// The routes that read the store: series, points, and the batches of a client. Reads run on the request's thread, a few at a time:
/// a reader of the store stays free for intake, which looks up batch ids.
/// </summary>
internal sealed class QueryEndpoints(IMetricStore store, SemaphoreSlim slots)
{
    private const int DefaultBatches = 100;
    private const int MostBatches = 1000;
    private const int DefaultNames = 50;
    private const int MostNames = 1000;
    private const int FlushBytes = 32 * 1024;

    // Escapes only what JSON demands: the answers are application/json, never pasted into a page, and ids stay readable.
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly TimeSpan LongestQuery = TimeSpan.FromSeconds(30);

    public static void Map(IEndpointRouteBuilder routes, IMetricStore store)
    {
        var endpoints = new QueryEndpoints(store, new SemaphoreSlim(SqliteMetricStore.Readers - 1));
        Map("/api/series", endpoints.SeriesAsync);
        Map("/api/names", endpoints.NamesAsync);
        Map("/api/query", endpoints.QueryAsync);
        Map("/api/clients/{client}/batches", endpoints.BatchesAsync);

        void Map(string path, Func<HttpContext, CancellationToken, Task> answer) =>
            routes.MapMethods(path, ProblemPages.Reads, (RequestDelegate)(context => endpoints.AnswerAsync(context, answer)));
    }

    private async Task SeriesAsync(HttpContext context, CancellationToken cancellation)
    {
        var parameters = new QueryParameters(context.Request.Query);
        var filter = new SeriesFilter(parameters.Text("name"), parameters.Tags("tags"));
        if (await RefusedAsync(context, parameters.Errors))
            return;

        var series = store.Series(filter, cancellation);
        await using var json = await BeginAsync(context, cancellation);
        json.WriteStartArray();
        foreach (var one in series)
        {
            json.WriteStartObject();
            json.WriteString("name", one.Name);
            json.WriteString("type", one.Type);
            WriteTags(json, one.Tags);
            json.WriteNumber("first", one.First);
            json.WriteNumber("last", one.Last);
            json.WriteNumber("samples", one.Samples);
            json.WriteEndObject();
            await FlushWhenLargeAsync(context, json, cancellation);
        }

        json.WriteEndArray();
    }

    private async Task NamesAsync(HttpContext context, CancellationToken cancellation)
    {
        var parameters = new QueryParameters(context.Request.Query);
        var search = parameters.Text("search");
        var limit = parameters.Integer("limit", 1, MostNames, DefaultNames);
        if (await RefusedAsync(context, parameters.Errors))
            return;

        var found = store.Names(search, limit);
        await using var json = await BeginAsync(context, cancellation);
        json.WriteStartObject();
        json.WriteNumber("matching", found.Matching);
        json.WriteStartArray("names");
        foreach (var (name, series) in found.Names)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteNumber("series", series);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private async Task QueryAsync(HttpContext context, CancellationToken cancellation)
    {
        var parameters = new QueryParameters(context.Request.Query);
        var filter = new SeriesFilter(parameters.Required("name"), parameters.Tags("tags"));
        var from = parameters.Time("from", MetricTimestamp.MinUnixMs);
        var to = parameters.Time("to", MetricTimestamp.MaxUnixMs + 1);
        var query = new SampleQuery(filter, from, to, parameters.StepMs("step"), parameters.Aggregation("agg"));
        if (from > to)
            parameters.Errors.Add(new ParameterError("from", "bad_timestamp", "'from' is later than 'to'; exchange them."));
        if (await RefusedAsync(context, parameters.Errors))
            return;

        var answer = store.Query(query, cancellation);
        await using var json = await BeginAsync(context, cancellation);
        json.WriteStartArray();
        foreach (var series in answer)
        {
            json.WriteStartObject();
            json.WriteString("name", series.Name);
            WriteTags(json, series.Tags);
            json.WriteStartArray("points");
            foreach (var point in series.Points)
            {
                json.WriteStartArray();
                json.WriteNumberValue(point.Time);
                // JSON has no NaN and no infinity.
                if (double.IsFinite(point.Value))
                    json.WriteNumberValue(point.Value);
                else
                    json.WriteNullValue();
                json.WriteEndArray();
                await FlushWhenLargeAsync(context, json, cancellation);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private async Task BatchesAsync(HttpContext context, CancellationToken cancellation)
    {
        var client = (string)context.Request.RouteValues["client"]!;
        var parameters = new QueryParameters(context.Request.Query);
        var after = parameters.Text("after");
        var left = parameters.Integer("limit", 1, MostBatches, DefaultBatches);
        if (await RefusedAsync(context, parameters.Errors))
            return;
        var page = store.Batches(client, after, left);
        if (page is null)
        {
            await RefusedAsync(context, [new ParameterError(
                "after", "missing",
                $"'after' is '{after}', which is no stored batch of client '{client}' within the id window; leave it out to start anew.")]);
            return;
        }

        await using var json = await BeginAsync(context, cancellation);
        json.WriteStartArray();
        // A page of large bodies ends early; the answer goes on with the next until the limit. Null: the batch just listed expired.
        while (page is { Count: > 0 })
        {
            foreach (var batch in page)
            {
                json.WriteStartObject();
                json.WriteString("batch_id", batch.BatchId);
                json.WritePropertyName("metrics");
                json.WriteRawValue(PostedMetrics.Of(batch.Body.Span), skipInputValidation: true);
                json.WriteEndObject();
                await FlushWhenLargeAsync(context, json, cancellation);
            }

            left -= page.Count;
            page = left > 0 ? store.Batches(client, page[^1].BatchId, left) : null;
        }

        json.WriteEndArray();
    }

    private async Task AnswerAsync(HttpContext context, Func<HttpContext, CancellationToken, Task> answer)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(LongestQuery);
        var entered = false;
        try
        {
            await slots.WaitAsync(limit.Token);
            entered = true;
            await answer(context, limit.Token);
        }
        catch (QueryTooLargeException tooLarge)
        {
            await RefusedAsync(context, [new ParameterError("step", "too_many", tooLarge.Message)]);
        }
        catch (StoreUnavailableException unavailable)
        {
            await UnavailableAsync(context, unavailable.Message);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            if (!context.RequestAborted.IsCancellationRequested)
                await UnavailableAsync(
                    context, $"The query took more than {LongestQuery.TotalSeconds} s; ask for a shorter range or fewer series.");
        }
        finally
        {
            if (entered)
                slots.Release();
        }
    }

    // Started before the first byte of the body: a failure from here on breaks the connection, it is not appended to half an answer.
    private static async Task<Utf8JsonWriter> BeginAsync(HttpContext context, CancellationToken cancellation)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.StartAsync(cancellation);
        return new Utf8JsonWriter(context.Response.BodyWriter, JsonOptions);
    }

    private static async ValueTask FlushWhenLargeAsync(HttpContext context, Utf8JsonWriter json, CancellationToken cancellation)
    {
        if (json.BytesPending < FlushBytes)
            return;
        await json.FlushAsync(cancellation);
        await context.Response.BodyWriter.FlushAsync(cancellation);
    }

    private static void WriteTags(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, string>> tags)
    {
        json.WriteStartObject("tags");
        foreach (var tag in tags)
            json.WriteString(tag.Key, tag.Value);
        json.WriteEndObject();
    }

    private static async Task<bool> RefusedAsync(HttpContext context, List<ParameterError> errors)
    {
        if (errors.Count == 0)
            return false;
        var detail = string.Join(" ", errors.Select(error => error.Message));
        await AnswerAsync(context, new Problem(StatusCodes.Status422UnprocessableEntity, detail)
        {
            Errors = [.. errors.Select(error => new BatchError(null, error.Field, error.Code))],
        });
        return true;
    }

    private static Task UnavailableAsync(HttpContext context, string detail) =>
        AnswerAsync(context, new Problem(StatusCodes.Status503ServiceUnavailable, detail) { RetryAfterSeconds = 1 });

    private static Task AnswerAsync(HttpContext context, Problem problem)
    {
        if (!context.Response.HasStarted)
            return problem.WriteAsync(context);
        // Half an answer went out: only a broken connection tells the client that it is not the whole.
        context.Abort();
        return Task.CompletedTask;
    }
}
