using MetricStream.Intake;
using MetricStream.Tests.Intake;
using MetricStream.Tests.Serving;
using Xunit;

namespace MetricStream.Tests.Admission;

/// <summary>A server that asks for keys, started as its user starts it.</summary>
public sealed class KeyedServer : IAsyncLifetime
{
    public const string Plain = "plain-key-of-agent-1";
    public const string Other = "plain-key-of-agent-2";
    public const string Reader = "read-key-of-board";

    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-keys-").FullName;
    private ServedProcess? _process;

    internal ServedProcess Process => _process!;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllLinesAsync(Path.Combine(_folder, "keys"), Lines);
        _process = await ServedProcess.StartAsync(_folder, ["--api-keys", "keys"]);
        foreach (var key in new[] { Plain, Other })
            Assert.Equal(200, (await Process.PostAsync(IntakeServer.GoodBody, ("X-Api-Key", key))).Status);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    internal static IEnumerable<string> Lines =>
    [
        "# agents", "agent-1:" + KeyRingTests.Hash(Plain), "agent-2:" + KeyRingTests.Hash(Other), "board:" + KeyRingTests.Hash(Reader) + ":read",
    ];
}

public sealed class KeyedServerTests(KeyedServer server) : IClassFixture<KeyedServer>
{
    private const string Good = IntakeServer.GoodBody;
    private const string Foreign = """{"client_id":"agent-2","metrics":[{"name":"cpu","value":0.5,"type":"gauge"}]}""";

    /// <summary>Each route without a key, with a wrong one, with a plain one, with one that reads.</summary>
    [Theory]
    [InlineData("/health/live", 200, 200, 200, 200)]
    [InlineData("/health/ready", 200, 200, 200, 200)]
    [InlineData("/", 200, 200, 200, 200)]
    [InlineData("/page/page.js", 200, 200, 200, 200)]
    [InlineData("/page/page.css", 200, 200, 200, 200)]
    [InlineData("/metrics", 401, 401, 403, 200)]
    [InlineData("/api/stats", 401, 401, 403, 200)]
    [InlineData("/api/stats/history", 401, 401, 403, 200)]
    [InlineData("/api/series", 401, 401, 403, 200)]
    [InlineData("/api/names", 401, 401, 403, 200)]
    [InlineData("/api/query?name=cpu", 401, 401, 403, 200)]
    [InlineData("/stream", 401, 401, 403, 200)]
    [InlineData("/api/clients/agent-1/batches", 401, 401, 200, 200)]
    [InlineData("/api/clients/agent-2/batches", 401, 401, 403, 200)]
    [InlineData("/api/clients/AGENT-1/batches", 401, 401, 403, 200)]
    [InlineData("/api/clients/x%2F..%2Fagent-1/batches", 401, 401, 403, 200)]
    [InlineData("/api/key", 401, 401, 200, 200)]
    [InlineData("/no/such/route", 401, 401, 404, 404)]
    public async Task What_a_key_reads_is_its_own_and_what_a_read_key_reads_is_everything(string path, int none, int wrong, int plain, int reader)
    {
        Assert.Equal(none, await StatusAsync(path, null));
        Assert.Equal(wrong, await StatusAsync(path, "wrong"));
        Assert.Equal(plain, await StatusAsync(path, KeyedServer.Plain));
        Assert.Equal(reader, await StatusAsync(path, KeyedServer.Reader));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("X-Api-Key", "wrong")]
    [InlineData("X-Api-Key", "")]
    [InlineData("Authorization", "Bearer wrong")]
    [InlineData("Authorization", "Bearer")]
    [InlineData("Authorization", "Basic " + KeyedServer.Plain)]
    [InlineData("Authorization", KeyedServer.Plain)]
    public async Task A_post_without_a_known_key_is_401_with_a_challenge(string? header, string? value)
    {
        var answer = header is null ? await server.Process.PostAsync(Good) : await server.Process.PostAsync(Good, (header, value!));

        Assert.Equal((401, Problem.MediaType), (answer.Status, answer.MediaType));
        Assert.StartsWith("Bearer realm=\"metricstream\"", Assert.Single(answer.Headers.GetValues("WWW-Authenticate")), StringComparison.Ordinal);
        Assert.Equal(401, answer.Json.GetProperty("status").GetInt32());
    }

    [Theory]
    [InlineData("X-Api-Key", KeyedServer.Plain)]
    [InlineData("Authorization", "Bearer " + KeyedServer.Plain)]
    [InlineData("authorization", "bearer " + KeyedServer.Plain)]
    [InlineData("X-Api-Key", KeyedServer.Reader)]
    public async Task A_known_key_posts(string header, string value) =>
        Assert.Equal(200, (await server.Process.PostAsync(Good, (header, value))).Status);

    [Fact]
    public async Task A_foreign_client_is_403_in_the_header_and_in_the_body_even_under_a_right_header()
    {
        var key = ("X-Api-Key", KeyedServer.Plain);
        Answer[] refused =
        [
            await server.Process.PostAsync(Good, key, ("X-Client-Id", "agent-2")),
            await server.Process.PostAsync(Good, key, ("X-Client-Id", "nobody-else-has-this")),
            await server.Process.PostAsync(Foreign, key),
            await server.Process.PostAsync(Foreign, key, ("X-Client-Id", "agent-1")),
        ];

        Assert.All(refused, answer => Assert.Equal((403, Problem.MediaType), (answer.Status, answer.MediaType)));
        Assert.All(refused, answer => Assert.Contains("agent-1", answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal));
        Assert.Equal(200, (await server.Process.PostAsync(Good, key, ("X-Client-Id", "agent-1"))).Status);
        Assert.Equal(200, (await server.Process.PostAsync(Foreign, ("X-Api-Key", KeyedServer.Other))).Status);
        // What is refused makes no client, and counts for the key's.
        var rejected = new Dictionary<string, long>();
        await ServedProcess.UntilAsync(
            async () =>
            {
                var clients = (await server.Process.GetAsync("/api/stats", ("X-Api-Key", KeyedServer.Reader))).Json.GetProperty("clients");
                rejected = clients.EnumerateArray().ToDictionary(
                    client => client.GetProperty("client").GetString()!, client => client.GetProperty("rejected").GetInt64());
                return rejected.GetValueOrDefault("agent-1") >= refused.Length;
            },
            () => string.Join(' ', rejected));
        Assert.DoesNotContain("nobody-else-has-this", rejected.Keys);
    }

    [Fact]
    public async Task The_keys_client_is_the_batchs_when_none_is_named_and_its_holder_lists_it()
    {
        var id = Guid.NewGuid().ToString("N");
        Assert.Equal(200, (await server.Process.PostAsync(Good, ("X-Api-Key", KeyedServer.Other), ("Idempotency-Key", id))).Status);
        var listed = "";

        await ServedProcess.UntilAsync(
            async () => (listed = (await server.Process.GetAsync(
                "/api/clients/agent-2/batches?limit=1000", ("X-Api-Key", KeyedServer.Other))).Body).Contains(id, StringComparison.Ordinal),
            () => listed);
    }

    [Fact]
    public async Task A_post_without_a_key_is_counted_as_rejected()
    {
        var before = await RejectedAsync();
        await server.Process.PostAsync(Good);
        var after = before;
        await ServedProcess.UntilAsync(async () => (after = await RejectedAsync()) > before, () => $"{before}, then {after}");

        async Task<long> RejectedAsync() => (await server.Process.GetAsync("/api/stats", ("X-Api-Key", KeyedServer.Reader)))
            .Json.GetProperty("rejected").GetInt64();
    }

    [Theory]
    [InlineData("""{"key":"read-key-of-board"}""")]
    [InlineData("key=read-key-of-board")]
    public async Task Logging_in_puts_a_read_key_into_a_cookie_that_no_script_and_no_other_site_can_use(string body)
    {
        var cookie = await LogInAsync(body);

        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("path=/", cookie, StringComparison.OrdinalIgnoreCase);
        var header = ("Cookie", cookie.Split(';')[0]);
        foreach (var path in new[] { "/api/stats", "/api/series", "/stream", "/metrics" })
            Assert.Equal(200, (await server.Process.GetAsync(path, header)).Status);
        var out_ = await server.Process.SendAsync(HttpMethod.Post, "/logout", "", header);
        Assert.Equal(204, out_.Status);
        Assert.Contains("expires=Thu, 01 Jan 1970", Assert.Single(out_.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_cookie_posts_nothing_so_that_no_page_can_make_a_browser_post()
    {
        var cookie = (await LogInAsync("""{"key":"read-key-of-board"}""")).Split(';')[0];

        Assert.Equal(401, (await server.Process.PostAsync(Good, ("Cookie", cookie))).Status);
        Assert.Equal(401, (await server.Process.SendAsync(HttpMethod.Post, "/api/stats", "", ("Cookie", cookie))).Status);
    }

    [Theory]
    [InlineData("""{"key":"wrong"}""", 401)]
    [InlineData("""{"key":"plain-key-of-agent-1"}""", 403)]
    [InlineData("""{"key":""}""", 422)]
    [InlineData("""{"key":1}""", 422)]
    [InlineData("{", 422)]
    [InlineData("", 422)]
    public async Task A_login_without_a_read_key_is_refused_and_gives_no_cookie(string body, int status)
    {
        var answer = await server.Process.SendAsync(HttpMethod.Post, "/login", body);

        Assert.Equal((status, Problem.MediaType), (answer.Status, answer.MediaType));
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    [Theory]
    [InlineData("/login")]
    [InlineData("/logout")]
    public async Task Another_site_logs_nobody_in_or_out(string path)
    {
        var answer = await server.Process.SendAsync(
            HttpMethod.Post, path, """{"key":"read-key-of-board"}""", ("Sec-Fetch-Site", "cross-site"));

        Assert.Equal(403, answer.Status);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task A_wrong_cookie_is_401_and_a_header_wins_over_it()
    {
        Assert.Equal(401, (await server.Process.GetAsync("/api/stats", ("Cookie", "metricstream_key=d3Jvbmc"))).Status);
        Assert.Equal(401, (await server.Process.GetAsync("/api/stats", ("Cookie", "metricstream_key=%%%"))).Status);
        Assert.Equal(200, (await server.Process.GetAsync(
            "/api/stats", ("Cookie", "metricstream_key=d3Jvbmc"), ("X-Api-Key", KeyedServer.Reader))).Status);
    }

    [Theory]
    [InlineData(KeyedServer.Reader, "conservation")]
    [InlineData(KeyedServer.Plain, "the conservation law is not checked")]
    public async Task The_load_tool_posts_and_verifies_with_a_key_alone(string key, string says)
    {
        var (exit, said) = await ServedProcess.RunAsync(
            Path.GetTempPath(), "load", server.Process.Address.ToString(), "--clients", "2", "--requests", "5", "--verify", "--api-key", key);

        Assert.True(exit == 0, said);
        Assert.Contains("10 of 10 acknowledged stored exactly once", said, StringComparison.Ordinal);
        Assert.Contains(says, said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_load_tool_names_a_wrong_key_and_exits_2_before_it_sends()
    {
        var (exit, said) = await ServedProcess.RunAsync(
            Path.GetTempPath(), "load", server.Process.Address.ToString(), "--clients", "1", "--requests", "1", "--verify", "--api-key", "wrong");

        Assert.Equal(2, exit);
        Assert.Contains("answered 401", said, StringComparison.Ordinal);
    }

    private async Task<string> LogInAsync(string body)
    {
        var answer = await server.Process.SendAsync(HttpMethod.Post, "/login", body, ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(204, answer.Status);
        return Assert.Single(answer.Headers.GetValues("Set-Cookie"));
    }

    private async Task<int> StatusAsync(string path, string? key)
    {
        var get = key is null ? await server.Process.GetAsync(path) : await server.Process.GetAsync(path, ("X-Api-Key", key));
        var head = key is null ? await server.Process.SendAsync(HttpMethod.Head, path, null)
            : await server.Process.SendAsync(HttpMethod.Head, path, null, ("Authorization", "Bearer " + key));
        Assert.Equal(get.Status, head.Status);
        return get.Status;
    }
}
