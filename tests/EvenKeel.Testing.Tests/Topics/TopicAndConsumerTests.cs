using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Tests.Workers;
using EvenKeel.Testing.Topics;
using EvenKeel.Testing.Workers;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Topics;

public sealed class TopicAndConsumerTests(ITestOutputHelper output) : IAsyncLifetime
{
    private readonly Runs _runs = new();

    public static TheoryData<string> Kinds => [BrokerKinds.Embedded, BrokerKinds.Real];

    public static TheoryData<string, ConsumeMode> KindsAndModes => new()
    {
        { BrokerKinds.Embedded, ConsumeMode.Assign },
        { BrokerKinds.Real, ConsumeMode.Assign },
        { BrokerKinds.Embedded, ConsumeMode.Subscribe },
        { BrokerKinds.Real, ConsumeMode.Subscribe },
    };

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    [Theory]
    [MemberData(nameof(KindsAndModes))]
    public async Task A_test_sees_only_what_is_produced_after_it_asked(string kind, ConsumeMode mode)
    {
        await using var run = _runs.Start(kind);
        var worker = run.LeaseWorker();
        var topic = await worker.TopicAsync("orders", 2, Cancellation);
        await SendAsync(run, topic, "before anybody asked");

        var first = worker.BeginTest("the first");
        var consumer = await worker.ConsumerAsync(topic, mode, Cancellation);
        await SendAsync(run, topic, "one");
        await SendAsync(run, topic, "left unread");
        Assert.Equal("one", (await consumer.ReceiveAsync(record => record.Value == "one")).Value);
        first.End(hasFailed: false);
        await SendAsync(run, topic, "between the tests");

        var second = worker.BeginTest("the second");
        Assert.Equal(topic, await worker.TopicAsync("orders", 2, Cancellation));
        Assert.Same(consumer, await worker.ConsumerAsync(topic, mode, Cancellation));
        await SendAsync(run, topic, "two");
        Assert.Equal("two", (await consumer.ReceiveAsync()).Value);
        Assert.Empty(await consumer.ReceiveToEndAsync());
        second.End(hasFailed: false);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task After_a_failure_exactly_its_worker_goes_on_with_new_topics_and_consumers(string kind)
    {
        await using var run = _runs.Start(kind);
        var (failing, other) = (run.LeaseWorker(), run.LeaseWorker());
        var topics = (Failing: await failing.TopicAsync("orders", 1, Cancellation), Other: await other.TopicAsync("orders", 1, Cancellation));
        Assert.NotEqual(topics.Failing, topics.Other);
        Assert.Equal($"test-orders-w{failing.Number}-{run.Id}", topics.Failing);
        Assert.Equal($"test-consumer-w{failing.Number}-{run.Id}-orders-0", failing.GroupFor(topics.Failing));
        Assert.NotEqual(failing.GroupFor("orders"), other.GroupFor("orders"));
        var (bad, good) = (failing.BeginTest("bad"), other.BeginTest("good"));
        var consumers = (
            Failing: await failing.ConsumerAsync(topics.Failing, cancellationToken: Cancellation),
            Other: await other.ConsumerAsync(topics.Other, cancellationToken: Cancellation));

        bad.End(hasFailed: true);
        good.End(hasFailed: false);

        var next = failing.BeginTest("the next one");
        var fresh = await failing.TopicAsync("orders", 1, Cancellation);
        Assert.Equal($"test-orders-w{failing.Number}-{run.Id}-f1", fresh);
        Assert.Equal($"test-consumer-w{failing.Number}-{run.Id}-orders-1", failing.GroupFor(fresh));
        var renewed = await failing.ConsumerAsync(fresh, cancellationToken: Cancellation);
        Assert.NotSame(consumers.Failing, renewed);
        Assert.NotSame(consumers.Failing, await failing.ConsumerAsync(topics.Failing, cancellationToken: Cancellation));
        await SendAsync(run, fresh, "after the failure");
        Assert.Equal("after the failure", (await renewed.ReceiveAsync()).Value);
        next.End(hasFailed: false);
        Assert.Equal(topics.Other, await other.TopicAsync("orders", 1, Cancellation));
        Assert.Same(consumers.Other, await other.ConsumerAsync(topics.Other, cancellationToken: Cancellation));
    }

    [Fact]
    public async Task A_topic_has_the_partitions_that_a_test_asks_for_whatever_was_asked_before_it()
    {
        await using var run = _runs.Start();
        var worker = run.LeaseWorker();
        var one = await worker.TopicAsync("orders", cancellationToken: Cancellation);
        var four = await worker.TopicAsync("orders", 4, Cancellation);
        Assert.Equal($"{one}-p4", four);
        Assert.Equal(four, await worker.TopicAsync("orders", cancellationToken: Cancellation));
        Assert.Equal(one, await worker.TopicAsync("orders", 1, Cancellation));
        Assert.Equal(one, await worker.TopicAsync("orders", cancellationToken: Cancellation));
        Assert.True(RunId.TryOfTopic("test", four, out var owner) && owner.Text == run.Id);

        var consumer = await worker.ConsumerAsync(four, cancellationToken: Cancellation);
        for (var i = 0; i < 20; i++)
            await SendAsync(run, four, $"{i}", key: $"key {i}");
        Assert.Equal([0, 1, 2, 3], (await consumer.ReceiveAsync(20)).Select(record => record.Partition).Distinct().Order());

        worker.BeginTest("a failing test").End(hasFailed: true);
        Assert.Equal($"test-orders-w0-{run.Id}-f1", await worker.TopicAsync("orders", 4, Cancellation));
    }

    [Fact]
    public async Task A_consumer_that_a_test_before_asked_for_is_refused_at_once()
    {
        await using var run = _runs.Start();
        var worker = run.LeaseWorker();
        var topic = await worker.TopicAsync("orders", 1, Cancellation);
        var test = worker.BeginTest("who asks");
        var consumer = await worker.ConsumerAsync(topic, cancellationToken: Cancellation);
        var waiting = consumer.ReceiveAsync(TimeSpan.FromSeconds(20));

        test.End(hasFailed: false);

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => waiting);
        Assert.Contains("ask for it with ConsumerAsync in each test", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => consumer.ReceiveAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task A_leader_that_is_not_there_yet_is_asked_again_and_a_refusal_is_told()
    {
        await using var run = _runs.Start();
        var worker = run.LeaseWorker();
        var topic = await worker.TopicAsync("orders", 1, Cancellation);
        var faults = (await run.ClusterAsync(Cancellation)).Broker.Faults;

        // A question is two requests, for the first offset and the last.
        faults.FailRequests(KafkaApi.ListOffsets, [.. Enumerable.Repeat(KafkaErrorCode.NotLeader, 4)]);
        await worker.ConsumerAsync(topic, cancellationToken: Cancellation);

        faults.FailRequests(KafkaApi.ListOffsets, [.. Enumerable.Repeat(KafkaErrorCode.TopicAuthorizationFailed, 2)]);
        var refusal = await Assert.ThrowsAsync<KafkaException>(() => worker.ConsumerAsync(topic, cancellationToken: Cancellation));
        Assert.Equal(KafkaErrorCode.TopicAuthorizationFailed, refusal.Code);
    }

    [Fact]
    public async Task A_wait_in_vain_tells_what_was_seen_and_how_far_was_read()
    {
        await using var run = _runs.Start();
        var worker = run.LeaseWorker();
        var topic = await worker.TopicAsync("orders", 1, Cancellation);
        var consumer = await worker.ConsumerAsync(topic, cancellationToken: Cancellation);
        await SendAsync(run, topic, "not the wanted one");

        var refusal = await Assert.ThrowsAsync<ReceiveTimeoutException>(
            () => consumer.ReceiveAsync(record => record.Value == "wanted", TimeSpan.FromMilliseconds(200)));

        Assert.Contains(topic, refusal.Message, StringComparison.Ordinal);
        Assert.Contains("[0]@0 key = not the wanted one", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("[0] from 0 to 1", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Records_are_received_whole_by_count_and_to_the_end()
    {
        await using var run = _runs.Start();
        var worker = run.LeaseWorker();
        var topic = await worker.TopicAsync("orders", 3, Cancellation);
        var consumer = await worker.ConsumerAsync(topic, cancellationToken: Cancellation);
        var cluster = await run.ClusterAsync(Cancellation);
        await cluster.Producer.SendAsync(topic, "k", null, [RecordHeader.Of("h", "1"), new RecordHeader("empty", null)], Cancellation);
        var tombstone = Assert.Single(await consumer.ReceiveAsync(1));
        Assert.Equal((topic, "k", null), (tombstone.Topic, tombstone.Key, tombstone.Value));
        Assert.Equal([("h", true), ("empty", false)], tombstone.Headers.Select(header => (header.Name, header.Value.HasValue)));

        for (var i = 0; i < 30; i++)
            await SendAsync(run, topic, $"{i}", key: $"key {i}");

        Assert.Equal(20, (await consumer.ReceiveAsync(20)).Count);
        Assert.Equal(10, (await consumer.ReceiveToEndAsync()).Count);
        await Assert.ThrowsAsync<Kafka.KafkaException>(() => worker.ConsumerAsync("no/topic", cancellationToken: Cancellation));
    }

    [Fact]
    public async Task The_consumer_unused_for_longest_is_closed_when_there_are_too_many()
    {
        await using var run = new TestRun(_runs.Options() with { MaxConsumersPerWorker = 2 });
        var worker = run.LeaseWorker();
        var topics = new List<string>();
        var consumers = new List<TestConsumer>();
        for (var i = 0; i < 3; i++)
        {
            topics.Add(await worker.TopicAsync($"topic-{i}", 1, Cancellation));
            var test = worker.BeginTest($"test {i}");
            consumers.Add(await worker.ConsumerAsync(topics[i], cancellationToken: Cancellation));
            test.End(hasFailed: false);
        }

        Assert.Same(consumers[1], await worker.ConsumerAsync(topics[1], cancellationToken: Cancellation));
        Assert.NotSame(consumers[0], await worker.ConsumerAsync(topics[0], cancellationToken: Cancellation));
    }

    [Theory(Explicit = true)]
    [MemberData(nameof(Kinds))]
    public async Task Topic_and_consumer_and_first_record_cost_little_when_they_are_used_again(string kind)
    {
        const int Tests = 200;
        await using var run = _runs.Start(kind);
        var worker = run.LeaseWorker();
        var (fresh, reused) = (new List<double>(), new List<double>());
        for (var i = 0; i < Tests + 10; i++)
        {
            var name = i < 10 ? $"fresh-{i}" : "reused";
            var test = worker.BeginTest($"test {i}");
            var start = Stopwatch.GetTimestamp();
            var topic = await worker.TopicAsync(name, 1, Cancellation);
            var consumer = await worker.ConsumerAsync(topic, cancellationToken: Cancellation);
            await SendAsync(run, topic, $"{i}");
            Assert.Equal($"{i}", (await consumer.ReceiveAsync()).Value);
            (i < 10 ? fresh : reused).Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            test.End(hasFailed: false);
        }
        var ending = Stopwatch.GetTimestamp();
        await run.DisposeAsync();
        reused.Sort();
        fresh.Sort();
        output.WriteLine($"{kind}: reused median {reused[Tests / 2]:0.00} ms, p95 {reused[Tests * 95 / 100]:0.00} ms; "
            + $"fresh median {fresh[5]:0.0} ms; end of the run {Stopwatch.GetElapsedTime(ending).TotalMilliseconds:0} ms");
        Assert.Empty(_runs.Told);
    }

    private static async Task SendAsync(TestRun run, string topic, string value, string key = "key")
    {
        var cluster = await run.ClusterAsync(Cancellation);
        var outcome = await cluster.Producer.SendAsync(topic, key, value, cancellationToken: Cancellation);
        Assert.True(outcome.IsDelivered, $"{outcome.Status}: {outcome.Reason}");
    }
}
