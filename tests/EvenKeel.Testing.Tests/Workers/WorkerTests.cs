using System.Collections.Concurrent;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Topics;
using EvenKeel.Testing.Workers;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Workers;

public sealed class WorkerTests : IAsyncLifetime
{
    private const string FolderSetting = "TEST_LEASE_FOLDER";
    private const string BrokerSetting = "TEST_BROKER";
    private readonly Runs _runs = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    [Fact]
    public async Task A_worker_number_has_one_holder_among_threads_and_runs_and_comes_back_when_given_back()
    {
        await using var one = _runs.Start();
        await using var two = _runs.Start();
        var leased = new ConcurrentBag<TestWorker>();
        Parallel.For(0, 64, i => leased.Add((i % 2 == 0 ? one : two).LeaseWorker()));

        Assert.Equal(Enumerable.Range(0, 64), leased.Select(worker => worker.Number).Order());

        var back = leased.First(worker => worker.Run == one);
        one.GiveBack(back);
        Assert.NotEqual(back.Number, two.LeaseWorker().Number);
        Assert.Same(back, one.LeaseWorker());
        one.GiveBack(back);
        Assert.Throws<InvalidOperationException>(() => one.GiveBack(back));
    }

    [Fact]
    public async Task A_worker_runs_one_test_at_a_time()
    {
        await using var run = _runs.Start();
        var worker = run.LeaseWorker();
        var first = worker.BeginTest("the first");

        var refusal = Assert.Throws<InvalidOperationException>(() => worker.BeginTest("the second"));
        Assert.Contains("the first", refusal.Message, StringComparison.Ordinal);

        first.End(hasFailed: true);
        first.End(hasFailed: true);
        Assert.Equal(1, worker.Version);
        worker.BeginTest("the second").End(hasFailed: false);
        Assert.Equal(1, worker.Version);
    }

    [Fact]
    public async Task A_killed_process_gives_its_workers_back_and_its_run_is_known_as_dead()
    {
        await using var run = _runs.Start();
        await using var child = ChildProcess.Start<WorkerTests>(nameof(Child_leases_workers_and_waits), (FolderSetting, _runs.Folder));
        var said = await child.ReadFileAsync(Path.Combine(_runs.Folder, "leased"));
        Assert.Equal(["0", "1"], said[1..]);
        var childRun = new RunId(said[0]);
        Assert.Equal(2, run.LeaseWorker().Number);
        Assert.Equal(RunState.Alive, RunFile.StateOf(run.Folder, childRun));

        await child.KillAsync();

        Assert.Equal([0, 1], new[] { run.LeaseWorker().Number, run.LeaseWorker().Number }.Order());
        Assert.Equal(RunState.Dead, RunFile.StateOf(run.Folder, childRun));
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task What_a_killed_process_left_on_a_real_broker_goes_with_the_next_run_and_a_living_ones_stays(string kind)
    {
        var options = _runs.Options(kind);
        await using var living = new TestRun(options);
        var kept = await living.LeaseWorker().TopicAsync("kept", 1, Cancellation);
        await using (var child = ChildProcess.Start<WorkerTests>(
            nameof(Child_leases_workers_and_waits), (FolderSetting, _runs.Folder), (BrokerSetting, kind)))
        {
            await child.ReadFileAsync(Path.Combine(_runs.Folder, "leased"));
            await child.KillAsync();
        }
        var left = File.ReadAllLines(Path.Combine(_runs.Folder, "leased"))[1];
        var leftGroup = File.ReadAllLines(Path.Combine(_runs.Folder, "leased"))[2];
        var old = $"test-orders-w0-{RunIdOf(TimeSpan.FromHours(7))}";
        var recent = $"test-orders-w0-{RunIdOf(TimeSpan.FromHours(5))}";
        await using var broker = new ExternalBroker(TestBroker.ExternalAddress!);
        Assert.Contains(leftGroup, await broker.ListGroupsAsync());
        await broker.CreateTopicAsync(old, 1, Cancellation);
        await broker.CreateTopicAsync(recent, 1, Cancellation);

        await using (var next = new TestRun(options))
        {
            // The end of a run waits for its sweep.
            await next.ClusterAsync(Cancellation);
        }
        Assert.DoesNotContain(leftGroup, await broker.ListGroupsAsync());

        Assert.Equal(KafkaErrorCode.UnknownTopicOrPartition, (await Assert.ThrowsAsync<KafkaException>(
            () => broker.DeleteTopicAsync(left, Cancellation))).Code);
        Assert.Equal(KafkaErrorCode.UnknownTopicOrPartition, (await Assert.ThrowsAsync<KafkaException>(
            () => broker.DeleteTopicAsync(old, Cancellation))).Code);
        await broker.DeleteTopicAsync(recent, Cancellation);
        Assert.Equal(KafkaErrorCode.TopicAlreadyExists, (await Assert.ThrowsAsync<KafkaException>(
            () => broker.CreateTopicAsync(kept, 1, Cancellation))).Code);
        await living.DisposeAsync();
        Assert.Equal(KafkaErrorCode.UnknownTopicOrPartition, (await Assert.ThrowsAsync<KafkaException>(
            () => broker.DeleteTopicAsync(kept, Cancellation))).Code);
        Assert.Empty(_runs.Told);
        Assert.DoesNotContain(Directory.EnumerateFiles(_runs.Folder), file => Path.GetFileName(file).StartsWith("run-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_client_that_cannot_be_closed_in_time_is_told_and_fails_nothing()
    {
        await using var run = new TestRun(_runs.Options() with { StopLimit = TimeSpan.FromMilliseconds(50) });
        run.InBackground(new TaskCompletionSource().Task, "something endless");
        run.InBackground(Task.FromException(new IOException("it broke")), "something that breaks");

        await run.DisposeAsync();

        Assert.Contains(_runs.Told, told => told.Contains("it broke", StringComparison.Ordinal));
        Assert.Contains(_runs.Told, told => told.Contains("Work beside the tests", StringComparison.Ordinal));
        Assert.Throws<ObjectDisposedException>(() => run.LeaseWorker());
    }

    [Fact]
    public async Task What_needs_no_client_to_be_closed_ends_beside_the_clients_and_all_else_after_them()
    {
        await using var run = new TestRun(_runs.Options() with { StopLimit = TimeSpan.FromSeconds(30) });
        using var isBeside = new ManualResetEventSlim();
        var isClosed = false;
        run.SharedClient("service", () => new Closing(() =>
        {
            isBeside.Wait(Cancellation);
            isClosed = true;
        }));
        var wasClosed = false;
        run.AtEnd("databases", () => Task.Run(isBeside.Set), isBesideClients: true);
        run.AtEnd("a registry that the service asks", () => Task.FromResult(wasClosed = isClosed));

        await run.DisposeAsync();

        Assert.True(wasClosed);
        Assert.Empty(_runs.Told);
    }

    [Fact]
    public void Options_that_cannot_be_used_are_all_named_with_their_values()
    {
        var refusal = Assert.Throws<ArgumentException>(() => new TestRun(_runs.Options() with
        {
            NamePrefix = "no/prefix",
            SweepAge = TimeSpan.FromSeconds(1),
            MaxConsumersPerWorker = 0,
        }));

        Assert.Contains("'no/prefix'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("00:00:01", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("MaxConsumersPerWorker is 0", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_id_tells_when_the_run_began_and_is_read_from_a_topic_of_any_version()
    {
        var now = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
        var id = RunId.New(new FixedTime(now));

        Assert.Equal(new DateTimeOffset(2026, 3, 4, 5, 6, 0, TimeSpan.Zero), id.StartedAt);
        Assert.True(RunId.TryOfTopic("test", new WorkerNames("test", 3, id).Topic("orders-w1", 0), out var read));
        Assert.Equal(id, read);
        Assert.True(RunId.TryOfTopic("test", new WorkerNames("test", 3, id).Topic("orders", 12), out read));
        Assert.Equal(id, read);
        Assert.False(RunId.TryOfTopic("relay", new WorkerNames("test", 3, id).Topic("orders", 0), out _));
        Assert.False(RunId.TryOfTopic("test", "test-orders-by-somebody-else", out _));
        Assert.True(RunId.TryOfGroup("test", new WorkerNames("test", 3, id).Group("orders", 12), out read));
        Assert.Equal(id, read);
        Assert.False(RunId.TryOfGroup("relay", new WorkerNames("test", 3, id).Group("orders", 0), out _));
        Assert.False(RunId.TryOfGroup("test", "test-consumer-w1-by-somebody-else", out _));
    }

    [Fact(Explicit = true)]
    public async Task Child_leases_workers_and_waits()
    {
        var kind = Environment.GetEnvironmentVariable(BrokerSetting) ?? BrokerKinds.Embedded;
        var folder = ChildProcess.Setting(FolderSetting);
        await using var run = new TestRun(_runs.Options(kind) with { LeaseDirectory = folder });
        var (first, second) = (run.LeaseWorker(), run.LeaseWorker());
        string[] leased = kind == BrokerKinds.Real
            ? [run.Id, await first.TopicAsync("orders", 1, Cancellation), await LeaveGroupBehindAsync(first)]
            : [run.Id, $"{first.Number}", $"{second.Number}"];
        ChildProcess.WriteFile(Path.Combine(folder, "leased"), leased);
        await Task.Delay(Timeout.Infinite, Cancellation);
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task Groups_whose_names_were_told_or_joined_are_gone_from_a_real_broker_at_the_end(string kind)
    {
        await using var run = _runs.Start(kind);
        var worker = run.LeaseWorker();
        var joined = await JoinGroupAsync(worker);
        await using var broker = new ExternalBroker(TestBroker.ExternalAddress!);
        Assert.Contains(joined, await broker.ListGroupsAsync());
        Assert.NotEqual(joined, worker.GroupFor("nobody joins it"));

        await run.DisposeAsync();

        Assert.DoesNotContain(joined, await broker.ListGroupsAsync());
        Assert.Empty(_runs.Told);
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task A_group_that_still_has_a_member_at_the_end_is_told_and_swept_by_a_later_run(string kind)
    {
        await using var run = _runs.Start(kind);
        var worker = run.LeaseWorker();
        var topic = await worker.TopicAsync("orders", 1, Cancellation);
        var group = worker.GroupFor(topic);
        var member = new TestConsumer(new TestConsumerSetup(TestBroker.ExternalAddress!, topic, group, ConsumeMode.Subscribe)
        {
            Deadline = TimeSpan.FromSeconds(30),
            Cancellation = () => Cancellation,
        });
        await member.AskAsync(Cancellation);

        await run.DisposeAsync();

        Assert.Contains(_runs.Told, told => told.Contains(group, StringComparison.Ordinal));
        await member.CloseAsync();
        await using (var next = _runs.Start(kind))
        {
            // The end of a run waits for its sweep.
            await next.ClusterAsync(Cancellation);
        }
        await using var broker = new ExternalBroker(TestBroker.ExternalAddress!);
        Assert.DoesNotContain(group, await broker.ListGroupsAsync());
    }

    private static async Task<string> JoinGroupAsync(TestWorker worker)
    {
        var topic = await worker.TopicAsync("orders", 1, Cancellation);
        return (await worker.ConsumerAsync(topic, ConsumeMode.Subscribe, Cancellation)).Group;
    }

    /// <summary>The group of a test that failed: its consumer has left, the group stays until the end of the run.</summary>
    private static async Task<string> LeaveGroupBehindAsync(TestWorker worker)
    {
        var test = worker.BeginTest("a failing test");
        var topic = await worker.TopicAsync("orders", 1, Cancellation);
        var consumer = await worker.ConsumerAsync(topic, ConsumeMode.Subscribe, Cancellation);
        test.End(hasFailed: true);
        await consumer.CloseAsync();
        return consumer.Group;
    }

    private sealed class Closing(Action close) : IDisposable
    {
        public void Dispose() => close();
    }

    private static RunId RunIdOf(TimeSpan age) => RunId.New(new FixedTime(TimeProvider.System.GetUtcNow() - age));

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
