using System.Text;
using MetricStream.Intake;
using MetricStream.Queueing;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class IdempotencyTests
{
    private const string Other = """{"metrics":[{"name":"other","value":1,"type":"gauge"},{"name":"b","value":1,"type":"gauge"}]}""";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task The_same_id_with_the_same_bytes_gets_the_first_answer_and_is_a_resend_in_the_queue()
    {
        await using var server = await IntakeServer.StartAsync();
        var first = await server.PostAsync(Other, ("Idempotency-Key", "k-1"));
        var second = await server.PostAsync(Other, ("Idempotency-Key", "\"k-1\""));
        Assert.Equal("""{"batch_id":"k-1","accepted":2,"ack":"durable"}""", first.Body);
        Assert.Equal((first.Status, first.Body), (second.Status, second.Body));
        Assert.Equal([BatchRecordKind.Batch, BatchRecordKind.Resend], server.Queue.Records.Select(r => r.Kind));
        var resend = server.Queue.Records[1];
        Assert.Equal(("k-1", 2, 0), (Encoding.ASCII.GetString(resend.BatchId.Span), resend.MetricCount, resend.Body.Length));
        Assert.Equal(2, server.Ledger.Snapshot().Single(row => row.ClientId == "anonymous").Acknowledged);
    }

    [Fact]
    public async Task The_same_bytes_are_compared_after_decoding()
    {
        await using var server = await IntakeServer.StartAsync();
        await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"));
        var packed = GzipBodyTests.Gzip(Encoding.UTF8.GetBytes(IntakeServer.GoodBody));
        var second = await server.PostAsync(packed, "application/json", ("Content-Encoding", "gzip"), ("Idempotency-Key", "k"));
        Assert.Equal(200, second.Status);
        Assert.Equal(BatchRecordKind.Resend, server.Queue.Records[1].Kind);
    }

    [Fact]
    public async Task Another_payload_under_a_used_id_is_422_but_another_client_may_use_the_id()
    {
        await using var server = await IntakeServer.StartAsync();
        await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"), ("X-Client-Id", "a"));
        var conflict = await server.PostAsync(Other, ("Idempotency-Key", "k"), ("X-Client-Id", "a"));
        Assert.Equal((422, Problem.MediaType), (conflict.Status, conflict.MediaType));
        Assert.Equal(200, (await server.PostAsync(Other, ("Idempotency-Key", "k"), ("X-Client-Id", "b"))).Status);
        Assert.Equal(2, server.Queue.Count);
    }

    [Fact]
    public async Task An_id_with_quotes_and_backslashes_is_answered_as_JSON()
    {
        await using var server = await IntakeServer.StartAsync();
        var answer = await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "\"a\\\"b\\\\c\""));
        Assert.Equal("a\"b\\c", answer.Json.GetProperty("batch_id").GetString());
        Assert.Equal("a\"b\\c", Encoding.ASCII.GetString(server.Queue.Records[0].BatchId.Span));
    }

    [Fact]
    public async Task A_resend_while_the_first_is_in_flight_gets_the_firsts_answer_once_it_is_there()
    {
        await using var server = await IntakeServer.StartAsync();
        var (appended, durable) = Hold(server.Queue);
        var first = server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"));
        await appended.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        var second = server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"));
        var conflict = server.PostAsync(Other, ("Idempotency-Key", "k"));
        server.Queue.BeforeDurable = null;
        durable.SetResult();
        Assert.Equal((200, 200, 422), ((await first).Status, (await second).Status, (await conflict).Status));
        Assert.Equal([BatchRecordKind.Batch, BatchRecordKind.Resend], server.Queue.Records.Select(r => r.Kind));
    }

    [Fact]
    public async Task When_the_first_is_refused_the_waiting_resend_takes_over()
    {
        await using var server = await IntakeServer.StartAsync();
        var (appended, durable) = Hold(server.Queue);
        var first = server.PostAsync(Other, ("Idempotency-Key", "k"));
        await appended.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        var second = server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"));
        server.Queue.BeforeDurable = null;
        durable.SetException(new IntakeRefusedException(IntakeRefusal.Full, "full", 1));
        Assert.Equal((503, 200), ((await first).Status, (await second).Status));
        Assert.Equal(IntakeServer.GoodBody, ScriptedQueue.BodyOf(Assert.Single(server.Queue.Records)));
    }

    [Fact]
    public async Task A_first_that_stays_in_flight_leaves_its_resend_with_409()
    {
        await using var server = await IntakeServer.StartAsync(new IntakeOptions { ResendWait = TimeSpan.FromMilliseconds(20) });
        var (appended, durable) = Hold(server.Queue);
        var first = server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"));
        await appended.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(409, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"))).Status);
        durable.SetResult();
        Assert.Equal(200, (await first).Status);
    }

    [Fact]
    public async Task A_refused_resend_is_not_promised_and_may_be_sent_again()
    {
        await using var server = await IntakeServer.StartAsync();
        await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"));
        server.Queue.BeforeDurable = _ => throw new IntakeRefusedException(IntakeRefusal.Full, "full", 1);
        Assert.Equal(503, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"))).Status);
        server.Queue.BeforeDurable = null;
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"))).Status);
    }

    [Fact]
    public async Task An_id_that_only_the_store_knows_is_answered_from_it_and_asked_for_once()
    {
        using var store = new ScriptedStore(() => new StoredBatch("k", 1, Encoding.UTF8.GetBytes(IntakeServer.GoodBody)));
        await using var server = await IntakeServer.StartAsync(store: store);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"))).Status);
        Assert.Equal(422, (await server.PostAsync(Other, ("Idempotency-Key", "k"))).Status);
        Assert.Equal(BatchRecordKind.Resend, Assert.Single(server.Queue.Records).Kind);
        Assert.Equal(1, store.Finds);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
        Assert.Equal(1, store.Finds);
    }

    [Fact]
    public async Task While_the_store_is_away_a_keyed_batch_is_taken_and_left_to_the_store_to_decide()
    {
        using var store = new ScriptedStore(() => throw new StoreUnavailableException("away", new IOException("locked")));
        await using var server = await IntakeServer.StartAsync(store: store);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", "k"))).Status);
        Assert.Equal(BatchRecordKind.Batch, Assert.Single(server.Queue.Records).Kind);
    }

    [Fact]
    public async Task An_id_that_the_window_has_forgotten_is_taken_again_and_left_to_the_store()
    {
        await using var server = await IntakeServer.StartAsync(new IntakeOptions { WindowEntries = 2 });
        foreach (var key in (string[])["a", "b", "c", "c", "a"])
            Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("Idempotency-Key", key))).Status);
        var kinds = server.Queue.Records.Select(r => (Encoding.ASCII.GetString(r.BatchId.Span), r.Kind == BatchRecordKind.Resend));
        Assert.Equal([("a", false), ("b", false), ("c", false), ("c", true), ("a", false)], kinds);
    }

    private static (TaskCompletionSource Appended, TaskCompletionSource Durable) Hold(ScriptedQueue queue)
    {
        var appended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var durable = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        queue.BeforeDurable = _ =>
        {
            appended.TrySetResult();
            return durable.Task;
        };
        return (appended, durable);
    }
}
