using System.Globalization;
using System.Text;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class IntakeConnectionTests
{
    private static string Head(string more) => $"POST /metrics HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n";

    [Fact]
    public async Task A_chunked_body_is_taken_whatever_its_cuts()
    {
        await using var server = await IntakeServer.StartAsync();
        foreach (var size in (int[])[1, 7, 1000])
        {
            using var raw = await server.ConnectAsync();
            var chunks = IntakeServer.GoodBody.Chunk(size).Select(chunk => $"{chunk.Length:x}\r\n{new string(chunk)}\r\n");
            await raw.SendAsync(Head("Transfer-Encoding: chunked\r\nConnection: close") + string.Concat(chunks) + "0\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200", await raw.ReadToEndAsync(), StringComparison.Ordinal);
        }

        Assert.All(server.Queue.Records, record => Assert.Equal(IntakeServer.GoodBody, ScriptedQueue.BodyOf(record)));
    }

    [Fact]
    public async Task A_body_that_arrives_byte_by_byte_is_taken()
    {
        await using var server = await IntakeServer.StartAsync();
        using var raw = await server.ConnectAsync();
        await raw.SendAsync(Head($"Connection: close\r\nContent-Length: {IntakeServer.GoodBody.Length}"));
        foreach (var character in IntakeServer.GoodBody)
            await raw.SendAsync(character.ToString());
        Assert.StartsWith("HTTP/1.1 200", await raw.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("5\r\n{\"met\r\n", true)]
    [InlineData("zz\r\n", false)]
    [InlineData("5\r\n{\"metXX", false)]
    [InlineData("-1\r\n", false)]
    [InlineData("FFFFFFFFFFFFFFFFF\r\n", false)]
    public async Task Broken_chunks_are_400_and_no_error_in_the_log(string chunks, bool endsEarly)
    {
        await using var server = await IntakeServer.StartAsync();
        using (var raw = await server.ConnectAsync())
        {
            await raw.SendAsync(Head("Transfer-Encoding: chunked") + chunks);
            if (endsEarly)
                raw.HalfClose();
            var answer = await raw.ReadToEndAsync();
            // Kestrel sends nothing more to a client that has ended its half of the connection within a body.
            Assert.StartsWith("HTTP/1.1 400", endsEarly && answer.Length == 0 ? "HTTP/1.1 400" : answer, StringComparison.Ordinal);
        }

        await AssertTakesGoodBatchesAsync(server, taken: 1);
    }

    [Fact]
    public async Task A_client_that_goes_away_in_its_body_is_no_error_and_nothing_is_taken()
    {
        await using var server = await IntakeServer.StartAsync();
        for (var cut = 0; cut < IntakeServer.GoodBody.Length; cut += 5)
        {
            using var raw = await server.ConnectAsync();
            await raw.SendAsync(Head($"Expect: 100-continue\r\nContent-Length: {IntakeServer.GoodBody.Length}"));
            await raw.ReadAsync(text => text.Contains("100 Continue", StringComparison.Ordinal));
            await raw.SendAsync(IntakeServer.GoodBody[..cut]);
            raw.Reset();
        }

        await WaitForRejectionsAsync(server, (IntakeServer.GoodBody.Length + 4) / 5);
        await AssertTakesGoodBatchesAsync(server, taken: 1);
    }

    [Theory]
    [InlineData("Content-Length: 67108864")]
    [InlineData("Transfer-Encoding: chunked")]
    public async Task A_client_that_sends_64_MB_before_it_reads_still_finds_413(string framing)
    {
        await using var server = await IntakeServer.StartAsync();
        using (var raw = await server.ConnectAsync())
        {
            await raw.SendAsync(Head(framing));
            var isChunked = framing.StartsWith('T');
            var block = new byte[1 << 20];
            block.AsSpan().Fill((byte)' ');
            for (var i = 0; i < 64; i++)
            {
                if (isChunked)
                    await raw.SendAsync(string.Create(CultureInfo.InvariantCulture, $"{block.Length:x}\r\n"));
                await raw.SendAsync(block);
                if (isChunked)
                    await raw.SendAsync("\r\n");
            }

            if (isChunked)
                await raw.SendAsync("0\r\n\r\n");
            var answer = await raw.ReadToEndAsync();
            Assert.StartsWith("HTTP/1.1 413", answer, StringComparison.Ordinal);
            Assert.Contains("Connection: close", answer, StringComparison.Ordinal);
        }

        await AssertTakesGoodBatchesAsync(server, taken: 1);
    }

    [Fact]
    public async Task A_claimed_length_over_the_limit_is_413_before_anything_is_sent()
    {
        await using var server = await IntakeServer.StartAsync();
        using var raw = await server.ConnectAsync();
        await raw.SendAsync(Head("Content-Length: 99999999999\r\nExpect: 100-continue"));
        Assert.StartsWith("HTTP/1.1 413", await raw.ReadAsync(text => text.Contains("\r\n\r\n", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pipelined_batches_are_answered_in_order_good_and_bad()
    {
        await using var server = await IntakeServer.StartAsync();
        using var raw = await server.ConnectAsync();
        var requests = new StringBuilder();
        string[] bodies = [IntakeServer.GoodBody, "{", IntakeServer.GoodBody, """{"metrics":[]}""", IntakeServer.GoodBody];
        for (var i = 0; i < bodies.Length; i++)
        {
            var close = i == bodies.Length - 1 ? "Connection: close\r\n" : "";
            requests.Append(Head($"{close}Content-Length: {bodies[i].Length}")).Append(bodies[i]);
        }

        await raw.SendAsync(requests.ToString());
        var answers = (await raw.ReadToEndAsync()).Split("HTTP/1.1 ", StringSplitOptions.RemoveEmptyEntries).Select(answer => answer[..3]);
        Assert.Equal(["200", "400", "200", "422", "200"], answers);
    }

    [Fact]
    public async Task A_batch_whose_client_goes_away_while_it_becomes_durable_is_acknowledged_in_the_counters()
    {
        await using var server = await IntakeServer.StartAsync();
        var appended = new TaskCompletionSource();
        var durable = new TaskCompletionSource();
        server.Queue.BeforeDurable = _ =>
        {
            appended.SetResult();
            return durable.Task;
        };
        using (var raw = await server.ConnectAsync())
        {
            await raw.SendAsync(Head($"Idempotency-Key: k\r\nContent-Length: {IntakeServer.GoodBody.Length}") + IntakeServer.GoodBody);
            await appended.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
            raw.Reset();
        }

        server.Queue.BeforeDurable = null;
        durable.SetResult();
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"))).Status);
        Assert.Equal(2, server.Queue.Count);
        Assert.Equal(2, server.Ledger.Snapshot().Single(row => row.ClientId == "anonymous").Acknowledged);
        Assert.True(server.Errors.Count == 0, string.Join("\n", server.Errors));
    }

    private static async Task WaitForRejectionsAsync(IntakeServer server, long expected)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (server.Ledger.Snapshot().Sum(row => row.UnsavedRejected) is var seen && seen < expected)
        {
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"{seen} of {expected} requests that were cut were counted as refused within 20 s.");
            await Task.Yield();
        }
    }

    private static async Task AssertTakesGoodBatchesAsync(IntakeServer server, int taken)
    {
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
        Assert.Equal(taken, server.Queue.Count);
        Assert.True(server.Errors.Count == 0, string.Join("\n", server.Errors));
    }
}
