using System.Net;
using System.Text.Json;
using MetricStream.Storing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class QueryEndpointsTests : IAsyncLifetime
{
    private readonly StoreFolder _folder = new();
    private readonly SqliteMetricStore _store;
    private readonly HttpClient _client = new();
    private WebApplication? _server;

    public QueryEndpointsTests() => _store = _folder.Open(new StoreLimits { ListedBodyBytes = 600, QueryPoints = 30_000 });

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _server = builder.Build();
        QueryEndpoints.Map(_server, _store);
        await _server.StartAsync(TestContext.Current.CancellationToken);
        var addresses = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        _client.BaseAddress = new Uri(addresses.Single());
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task The_listing_shows_metrics_byte_for_byte_as_they_were_posted()
    {
        const string Metrics = """[ {"value":1.50e+01, "type":"gauge","name":"c\u0070u", "extra":[1,{"metrics":[]}]} , {"name":"b","type":"counter","value":-0.0}]""";
        var body = $$"""{"note":{"metrics":[7]},"m\u0065trics" : {{Metrics}} ,"batch_timestamp":1}""";
        _store.Write(Given.Transaction(Given.Batch(0, "a:b@c", "id-<1>", body)));

        Assert.Equal($$"""[{"batch_id":"id-<1>","metrics":{{Metrics}}}]""", await Ok("/api/clients/a:b@c/batches"));
    }

    [Fact]
    public async Task The_listing_pages_by_batch_id_and_fills_a_page_whatever_the_bodies_weigh()
    {
        _store.Write(Given.Transaction([.. Enumerable.Range(0, 120).Select(i => Given.Batch(i, "web", $"id-{i}", Given.Gauge("cpu", i, i)))]));

        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"id-{i}"), Ids(await Ok("/api/clients/web/batches")));
        Assert.Equal(Enumerable.Range(0, 120).Select(i => $"id-{i}"), Ids(await Ok("/api/clients/web/batches?limit=1000")));
        Assert.Equal(Enumerable.Range(101, 7).Select(i => $"id-{i}"), Ids(await Ok("/api/clients/web/batches?limit=7&after=id-100")));
        Assert.Equal("[]", await Ok("/api/clients/web/batches?after=id-119"));
        Assert.Equal("[]", await Ok("/api/clients/nobody/batches"));
        Assert.Equal("[]", await Ok("/api/clients/nobody/batches?after=x"));
    }

    [Theory]
    [InlineData("/api/clients/web/batches?limit=0", "limit", "wrong_type")]
    [InlineData("/api/clients/web/batches?limit=1001", "limit", "wrong_type")]
    [InlineData("/api/clients/web/batches?limit=-1", "limit", "wrong_type")]
    [InlineData("/api/clients/web/batches?limit=ten", "limit", "wrong_type")]
    [InlineData("/api/clients/web/batches?limit=1.5", "limit", "wrong_type")]
    [InlineData("/api/clients/web/batches?limit=99999999999999999999", "limit", "wrong_type")]
    [InlineData("/api/clients/web/batches?after=nothing", "after", "missing")]
    [InlineData("/api/query", "name", "missing")]
    [InlineData("/api/query?name=", "name", "missing")]
    [InlineData("/api/query?name=a&name=b", "name", "repeated")]
    [InlineData("/api/query?name=a&agg=median", "agg", "unknown_type")]
    [InlineData("/api/query?name=a&agg=AVG", "agg", "unknown_type")]
    [InlineData("/api/query?name=a&step=10", "step", "wrong_type")]
    [InlineData("/api/query?name=a&step=0s", "step", "wrong_type")]
    [InlineData("/api/query?name=a&step=0.5ms", "step", "wrong_type")]
    [InlineData("/api/query?name=a&step=-1s", "step", "wrong_type")]
    [InlineData("/api/query?name=a&from=yesterday", "from", "bad_timestamp")]
    [InlineData("/api/query?name=a&to=2026-13-01T00:00:00Z", "to", "bad_timestamp")]
    [InlineData("/api/query?name=a&from=5&to=4", "from", "bad_timestamp")]
    [InlineData("/api/query?name=a&tags=host", "tags", "wrong_type")]
    [InlineData("/api/query?name=a&tags=:x", "tags", "wrong_type")]
    [InlineData("/api/query?name=a&tags=x:", "tags", "wrong_type")]
    [InlineData("/api/series?tags=a:b,", "tags", "wrong_type")]
    [InlineData("/api/query?name=cpu", "step", "too_many")]
    public async Task A_wrong_parameter_is_a_problem_that_names_it(string url, string field, string code)
    {
        // More points than one answer may have, where that is the question.
        _store.Write(Given.Transaction(Given.Batch(4, "web", "known", Given.Gauge("memory", 1, 1))));
        if (code == "too_many")
            _store.Write(Given.Transaction([.. Enumerable.Range(0, 4).Select(i => Given.Batch(i + 5, "web", $"id-{i}", Body(10_000, i * 10_000)))]));

        using var response = await _client.GetAsync(new Uri(url, UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(422, problem.RootElement.GetProperty("status").GetInt32());
        var error = Assert.Single(problem.RootElement.GetProperty("errors").EnumerateArray());
        Assert.Equal((field, code), (error.GetProperty("field").GetString(), error.GetProperty("code").GetString()));
        Assert.NotEmpty(problem.RootElement.GetProperty("detail").GetString()!);
    }

    [Fact]
    public async Task Everything_wrong_is_named_at_once()
    {
        using var response = await _client.GetAsync(new Uri("/api/query?step=x&agg=y&from=z", UriKind.Relative), TestContext.Current.CancellationToken);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(["name", "from", "step", "agg"], problem.RootElement.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("field").GetString()));
    }

    [Fact]
    public async Task Series_and_points_are_answered_with_their_tags_and_times()
    {
        _store.Write(Given.Transaction(
            Given.Batch(0, "web", "a", Given.Gauge("cpu", 1.25, 1_000, """{"host":"web-1","zone":"b"}""")),
            Given.Batch(1, "web", "b", Given.Gauge("cpu", 3, 61_000, """{"host":"web-1","zone":"b"}""")),
            Given.Batch(2, "web", "c", Given.Gauge("cpu", 9, 61_000, """{"host":"a:b,c\\d"}"""))));
        const string Tags = """{"host":"web-1","zone":"b"}""";

        Assert.Equal(
            $$"""[{"name":"cpu","type":"gauge","tags":{{Tags}},"first":1000,"last":61000,"samples":2}]""",
            await Ok("/api/series?name=cpu&tags=zone:b,host:web-1"));
        Assert.Equal($$"""[{"name":"cpu","tags":{{Tags}},"points":[[1000,1.25],[61000,3]]}]""", await Ok("/api/query?name=cpu&tags=zone:b"));
        Assert.Equal(
            $$"""[{"name":"cpu","tags":{{Tags}},"points":[[0,1.25],[60000,3]]}]""", await Ok("/api/query?name=cpu&tags=zone:b&step=1m"));
        Assert.Equal(
            $$"""[{"name":"cpu","tags":{{Tags}},"points":[[0,4.25]]}]""", await Ok("/api/query?name=cpu&tags=zone:b&step=2h&agg=sum"));
        Assert.Equal(
            $$"""[{"name":"cpu","tags":{{Tags}},"points":[[1000,1.25]]}]""",
            await Ok("/api/query?name=cpu&tags=zone:b&from=1970-01-01T01:00:00+01:00&to=1970-01-01T00:01:01Z"));
        Assert.Equal("""[{"name":"cpu","tags":{"host":"a:b,c\\d"},"points":[[61000,9]]}]""", await Ok(@"/api/query?name=cpu&tags=host:a:b\,c\d"));
        Assert.Equal("[]", await Ok("/api/query?name=cpu&from=1&to=1"));
        Assert.Equal("[]", await Ok("/api/query?name=cpu&from=-2000&to=-1"));
        Assert.Equal("[]", await Ok("/api/query?name=disk"));
        Assert.Equal("[]", await Ok("/api/series?name=disk"));
    }

    [Fact]
    public async Task An_answer_larger_than_every_buffer_arrives_whole()
    {
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", Body(10_000, 0)), Given.Batch(1, "web", "b", Body(10_000, 10_000))));
        using var answer = JsonDocument.Parse(await Ok("/api/query?name=cpu"));
        var points = answer.RootElement[0].GetProperty("points").EnumerateArray().Select(point => point[0].GetInt64());
        Assert.Equal(Enumerable.Range(0, 20_000).Select(i => (long)i), points);
    }

    [Fact]
    public async Task A_value_that_json_cannot_say_is_null()
    {
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", double.MaxValue, 1)), Given.Batch(1, "web", "b", Given.Gauge("cpu", double.MaxValue, 2))));
        Assert.Equal("""[{"name":"cpu","tags":{},"points":[[0,null]]}]""", await Ok("/api/query?name=cpu&step=1s&agg=sum"));
    }

    [Fact]
    public async Task A_store_that_cannot_answer_is_503_with_retry_after()
    {
        File.Move(_folder.File, _folder.File + ".away");
        using var response = await _client.GetAsync(new Uri("/api/series", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        File.Move(_folder.File + ".away", _folder.File);
        Assert.Equal("[]", await Ok("/api/series"));
    }

    private static string Body(int count, int firstTime) =>
        $"{{\"metrics\":[{string.Join(',', Enumerable.Range(firstTime, count).Select(i => $"{{\"name\":\"cpu\",\"type\":\"gauge\",\"value\":{i},\"timestamp\":{i}}}"))}]}}";

    private static IEnumerable<string?> Ids(string json)
    {
        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(batch => batch.GetProperty("batch_id").GetString())];
    }

    private async Task<string> Ok(string url)
    {
        using var response = await _client.GetAsync(new Uri(url, UriKind.Relative), TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{url} answered {(int)response.StatusCode}: {text}");
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        return text;
    }
}
