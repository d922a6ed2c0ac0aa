using System.Text;
using MetricStream.Intake;
using MetricStream.Queueing;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class MetricsEndpointTests
{
    [Fact]
    public async Task A_batch_is_answered_with_its_id_and_number_after_it_is_in_the_queue_as_it_was_posted()
    {
        await using var server = await IntakeServer.StartAsync();
        var answer = await server.PostAsync(IntakeServer.GoodBody, ("X-Client-Id", "c-1"));

        Assert.Equal(200, answer.Status);
        Assert.Equal("application/json", answer.MediaType);
        Assert.Equal(1, answer.Json.GetProperty("accepted").GetInt32());
        Assert.Equal("durable", answer.Json.GetProperty("ack").GetString());
        var id = answer.Json.GetProperty("batch_id").GetString();
        Assert.Equal('7', Guid.Parse(id!).ToString()[14]);
        var record = Assert.Single(server.Queue.Records);
        Assert.Equal(BatchRecordKind.Batch, record.Kind);
        Assert.Equal("c-1", Encoding.ASCII.GetString(record.ClientId.Span));
        Assert.Equal(id, Encoding.ASCII.GetString(record.BatchId.Span));
        Assert.Equal(1, record.MetricCount);
        Assert.Equal(IntakeServer.GoodBody, ScriptedQueue.BodyOf(record));
        var now = TimeProvider.System.GetUtcNow();
        Assert.InRange(record.ArrivedUnixMs, now.AddMinutes(-1).ToUnixTimeMilliseconds(), now.ToUnixTimeMilliseconds());
    }

    [Fact]
    public async Task Nothing_is_acknowledged_before_the_queue_says_durable()
    {
        await using var server = await IntakeServer.StartAsync();
        var durable = new TaskCompletionSource();
        var appended = new TaskCompletionSource();
        server.Queue.BeforeDurable = _ =>
        {
            appended.SetResult();
            return durable.Task;
        };
        var answering = server.PostAsync(IntakeServer.GoodBody);
        await appended.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.False(answering.IsCompleted);
        durable.SetResult();
        Assert.Equal(200, (await answering).Status);
    }

    [Fact]
    public async Task The_client_is_the_headers_then_the_bodys_then_anonymous()
    {
        await using var server = await IntakeServer.StartAsync();
        const string Named = """{"client_id":"bo\u0064y","metrics":[{"name":"a","value":1,"type":"gauge"}]}""";
        await server.PostAsync(Named, ("X-Client-Id", "header"));
        await server.PostAsync(Named);
        await server.PostAsync(IntakeServer.GoodBody);
        Assert.Equal(["header", "body", "anonymous"], server.Queue.Records.Select(r => Encoding.ASCII.GetString(r.ClientId.Span)));
    }

    [Theory]
    [InlineData(IntakeRefusal.Full, 503)]
    [InlineData(IntakeRefusal.DiskFull, 503)]
    [InlineData(IntakeRefusal.Closed, 503)]
    [InlineData(IntakeRefusal.Faulted, 503)]
    [InlineData(IntakeRefusal.TooLarge, 413)]
    internal async Task What_the_queue_refuses_is_refused_with_its_reason_and_counted(IntakeRefusal reason, int status)
    {
        await using var server = await IntakeServer.StartAsync();
        server.Queue.BeforeDurable = _ => throw new IntakeRefusedException(reason, "The queue holds 10 of 10 bytes.", 7);
        var answer = await server.PostAsync(IntakeServer.GoodBody, ("X-Client-Id", "c"));
        Assert.Equal(status, answer.Status);
        Assert.Equal(Problem.MediaType, answer.MediaType);
        Assert.Equal("The queue holds 10 of 10 bytes.", answer.Json.GetProperty("detail").GetString());
        Assert.Equal(status == 503 ? TimeSpan.FromSeconds(7) : null, answer.Headers.RetryAfter?.Delta);
        Assert.Equal(1, server.Ledger.Snapshot().Single(row => row.ClientId == "c").UnsavedRejected);

        server.Queue.BeforeDurable = null;
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
    }

    [Fact]
    public async Task Acknowledgements_and_refusals_are_counted_for_the_client_as_far_as_it_is_known()
    {
        await using var server = await IntakeServer.StartAsync();
        await server.PostAsync(IntakeServer.GoodBody, ("X-Client-Id", "a"));
        await server.PostAsync("{", ("X-Client-Id", "a"));
        await server.PostAsync("{");
        await server.PostAsync("""{"metrics":[]}""");
        var rows = server.Ledger.Snapshot().ToDictionary(row => row.ClientId, row => (row.Acknowledged, row.UnsavedRejected));
        Assert.Equal((1, 1), rows["a"]);
        Assert.Equal((0, 1), rows[""]);
        Assert.Equal((0, 1), rows["anonymous"]);
    }

    [Theory]
    [InlineData("GET", "/metrics", 405)]
    [InlineData("PUT", "/metrics", 405)]
    [InlineData("DELETE", "/metrics", 405)]
    [InlineData("POST", "/metric", 404)]
    [InlineData("GET", "/nothing/here", 404)]
    public async Task Other_methods_and_routes_are_answered_with_a_problem(string method, string path, int status)
    {
        await using var server = await IntakeServer.StartAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(Problem.MediaType, response.Content.Headers.ContentType?.MediaType);
        if (status == 405)
            Assert.Equal(["POST"], response.Content.Headers.Allow);
    }

    [Fact]
    public async Task A_stopping_server_refuses_new_batches_and_closes_the_connection()
    {
        await using var server = await IntakeServer.StartAsync();
        server.Endpoint.BeginStop();
        var answer = await server.PostAsync(IntakeServer.GoodBody);
        Assert.Equal(503, answer.Status);
        Assert.NotNull(answer.Headers.RetryAfter);
        Assert.True(answer.Headers.ConnectionClose);
        Assert.Empty(server.Queue.Records);
    }

    [Fact]
    public async Task A_body_that_is_still_arriving_when_the_grace_is_over_is_refused()
    {
        await using var server = await IntakeServer.StartAsync(new IntakeOptions { StopGrace = TimeSpan.FromMilliseconds(50) });
        using var slow = await server.ConnectAsync();
        await slow.SendAsync($"POST /metrics HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {IntakeServer.GoodBody.Length}\r\n\r\n");
        await slow.ReadAsync(text => text.Contains("100 Continue", StringComparison.Ordinal));
        server.Endpoint.BeginStop();
        Assert.StartsWith("HTTP/1.1 503", await slow.ReadAsync(text => text.Contains("\r\n\r\n", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Empty(server.Queue.Records);
        Assert.True(server.Errors.Count == 0, string.Join("\n", server.Errors));
    }
}
