using System.Text;
using MetricStream.Intake;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class ExtremeBodyTests
{
    private const int Limit = 32 * 1024 * 1024;

    [Fact]
    public async Task Every_malformed_or_extreme_body_gets_the_status_the_contract_names_and_a_good_batch_is_taken_right_after()
    {
        await using var server = await IntakeServer.StartAsync();
        var bodies = ExtremeBodies.All().ToList();
        Assert.InRange(bodies.Count, 150, 1000);
        var wrong = new List<string>();
        var taken = 0;
        foreach (var (name, body, expected) in bodies)
        {
            var answer = await server.PostAsync(body);
            if (answer.Status != expected)
                wrong.Add($"{name}: {answer.Status} instead of {expected}: {answer.Body}");
            if (answer.Status >= 400)
                AssertProblem(answer);
            var good = await server.PostAsync(IntakeServer.GoodBody);
            if (good.Status != 200)
                wrong.Add($"the good batch after {name}: {good.Status}");
            taken += 1 + (answer.Status == 200 ? 1 : 0);
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.Equal(taken, server.Queue.Count);
        Assert.True(server.Errors.Count == 0, string.Join("\n", server.Errors));
    }

    [Fact]
    public async Task Every_prefix_of_a_valid_body_is_refused_as_malformed()
    {
        const string Body = """
            {"batch_timestamp":"2023-11-14T22:13:20Z","client_id":"c","x":[true,null,{"y":"\ud83d\ude00"}],"metrics":[{"name":"caf\u00e9é","value":-1.5e3,
            "type":"histogram","tags":{"a":"b","c":"d"},"timestamp":1700000000000},{"type":"counter","value":0,"name":"n"}]}
            """;
        await using var server = await IntakeServer.StartAsync();
        var bytes = Encoding.UTF8.GetBytes(Body.TrimEnd());
        for (var length = 0; length < bytes.Length; length++)
            Assert.Equal((length, 400), (length, (await server.PostAsync(bytes[..length])).Status));
        Assert.Equal(200, (await server.PostAsync(bytes)).Status);
        Assert.Single(server.Queue.Records);
    }

    [Theory]
    [InlineData(null, 200)]
    [InlineData("application/json", 200)]
    [InlineData("APPLICATION/JSON", 200)]
    [InlineData("text/json", 200)]
    [InlineData("application/json; charset=utf-8", 200)]
    [InlineData("application/json;charset=\"UTF-8\"", 200)]
    [InlineData("application/json; version=1", 200)]
    [InlineData("application/json; charset=latin1", 200)]
    [InlineData("application/json; charset=utf8", 200)]
    [InlineData("text/plain", 415)]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [InlineData("application/problem+json", 415)]
    [InlineData("application/*", 415)]
    [InlineData("json", 415)]
    [InlineData("application/json, text/plain", 415)]
    public async Task The_media_type_is_json_in_utf_8_or_unnamed(string? mediaType, int status)
    {
        await using var server = await IntakeServer.StartAsync();
        Assert.Equal(status, (await server.PostAsync(Encoding.UTF8.GetBytes(IntakeServer.GoodBody), mediaType)).Status);
    }

    [Theory]
    [InlineData("gzip", true, 200)]
    [InlineData("GZIP", true, 200)]
    [InlineData("x-gzip", true, 200)]
    [InlineData("identity", false, 200)]
    [InlineData("gzip", false, 400)]
    [InlineData("deflate", false, 415)]
    [InlineData("br", false, 415)]
    [InlineData("gzip, gzip", true, 415)]
    [InlineData("zstd", false, 415)]
    public async Task The_only_coding_is_gzip(string coding, bool compressed, int status)
    {
        await using var server = await IntakeServer.StartAsync();
        var body = Encoding.UTF8.GetBytes(IntakeServer.GoodBody);
        var answer = await server.PostAsync(compressed ? GzipBodyTests.Gzip(body) : body, "application/json", ("Content-Encoding", coding));
        Assert.Equal(status, answer.Status);
        if (status == 200)
            Assert.Equal(IntakeServer.GoodBody, ScriptedQueue.BodyOf(server.Queue.Records[0]));
    }

    [Fact]
    public async Task A_gzip_body_cut_at_any_byte_is_refused()
    {
        await using var server = await IntakeServer.StartAsync();
        var body = GzipBodyTests.Gzip(Encoding.UTF8.GetBytes(ExtremeBodies.Metrics(20)));
        for (var length = 0; length < body.Length; length++)
        {
            var answer = await server.PostAsync(body[..length], "application/json", ("Content-Encoding", "gzip"));
            Assert.Equal((length, 400), (length, answer.Status));
        }

        Assert.Equal(200, (await server.PostAsync(body, "application/json", ("Content-Encoding", "gzip"))).Status);
    }

    [Fact]
    public async Task A_body_at_the_limit_is_taken_and_one_byte_more_is_413_plain_or_compressed()
    {
        await using var server = await IntakeServer.StartAsync();
        var atLimit = Padded(Limit);
        var over = Padded(Limit + 1);
        Assert.Equal(200, (await server.PostAsync(atLimit)).Status);
        Assert.Equal(413, (await server.PostAsync(over)).Status);
        Assert.Equal(200, (await server.PostAsync(GzipBodyTests.Gzip(atLimit), "application/json", ("Content-Encoding", "gzip"))).Status);
        Assert.Equal(413, (await server.PostAsync(GzipBodyTests.Gzip(over), "application/json", ("Content-Encoding", "gzip"))).Status);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
        Assert.True(server.Errors.Count == 0, string.Join("\n", server.Errors));
    }

    [Theory]
    [InlineData("X-Client-Id", "a b")]
    [InlineData("X-Client-Id", ".")]
    [InlineData("X-Client-Id", "..")]
    [InlineData("X-Client-Id", "a/b")]
    [InlineData("X-Client-Id", "")]
    [InlineData("Idempotency-Key", "")]
    [InlineData("Idempotency-Key", "\"\"")]
    [InlineData("Idempotency-Key", "\"a")]
    [InlineData("Idempotency-Key", "a b")]
    [InlineData("Idempotency-Key", "\"a b\"")]
    [InlineData("Idempotency-Key", "\"a\"b\"")]
    [InlineData("Idempotency-Key", "\"a\\x\"")]
    public async Task A_client_id_or_batch_id_against_its_rule_is_422_and_names_the_header(string header, string value)
    {
        await using var server = await IntakeServer.StartAsync();
        using var raw = await server.ConnectAsync();
        await raw.SendAsync($"POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}: {value}\r\nContent-Length: {IntakeServer.GoodBody.Length}\r\n\r\n{IntakeServer.GoodBody}");
        var answer = await raw.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 422 ", answer, StringComparison.Ordinal);
        Assert.Contains($"\"field\":\"{header}\"", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-Client-Id")]
    [InlineData("Idempotency-Key")]
    public async Task A_header_of_128_characters_is_taken_and_129_or_two_of_them_are_not(string header)
    {
        await using var server = await IntakeServer.StartAsync();
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, (header, new string('x', 128)))).Status);
        var tooLong = await server.PostAsync(IntakeServer.GoodBody, (header, new string('x', 129)));
        Assert.Equal((422, $"{header}:too_long"), (tooLong.Status, Assert.Single(tooLong.Errors)));
        using var raw = await server.ConnectAsync();
        await raw.SendAsync($"POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}: a\r\n{header}: b\r\nContent-Length: {IntakeServer.GoodBody.Length}\r\n\r\n{IntakeServer.GoodBody}");
        Assert.Contains("\"code\":\"repeated\"", await raw.ReadToEndAsync(), StringComparison.Ordinal);
    }

    private static byte[] Padded(int length)
    {
        var body = Encoding.UTF8.GetBytes(ExtremeBodies.With("\"x\":\"\""));
        var at = body.AsSpan().IndexOf("\"x\":\""u8) + 5;
        return [.. body[..at], .. Enumerable.Repeat((byte)'x', length - body.Length), .. body[at..]];
    }

    private static void AssertProblem(Answer answer)
    {
        Assert.Equal(Problem.MediaType, answer.MediaType);
        Assert.Equal(answer.Status, answer.Json.GetProperty("status").GetInt32());
        Assert.NotEqual("", answer.Json.GetProperty("title").GetString());
        Assert.NotEqual("", answer.Json.GetProperty("detail").GetString());
        string[] codes =
            ["missing", "repeated", "wrong_type", "empty", "too_long", "bad_character", "not_finite", "unknown_type", "bad_timestamp", "too_many"];
        Assert.Equal(answer.Status == 422, answer.Errors.Count > 0);
        Assert.InRange(answer.Errors.Count, 0, BatchValidator.MaxErrors);
        Assert.All(answer.Errors, error => Assert.Contains(error[(error.LastIndexOf(':') + 1)..], codes));
    }
}
