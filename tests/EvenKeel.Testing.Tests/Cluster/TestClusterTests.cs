using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Tests.Workers;
using EvenKeel.Testing.Workers;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Cluster;

public sealed class TestClusterTests : IAsyncLifetime
{
    private readonly Runs _runs = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task A_broker_that_a_delegate_starts_serves_the_run_and_is_stopped_once_when_its_topics_are_gone(string kind)
    {
        var options = _runs.Options(kind);
        var (starts, stops) = (0, 0);
        var (topic, isGoneAtStop) = ("", false);
        await using var run = new TestRun(options with
        {
            Cluster = new TestClusterOptions { IgnoresEnvironment = true, Start = StartAsync },
        });
        var worker = run.LeaseWorker();
        topic = await worker.TopicAsync("orders", 1, Cancellation);
        var consumer = await worker.ConsumerAsync(topic, cancellationToken: Cancellation);
        var cluster = await run.ClusterAsync(Cancellation);

        await cluster.Producer.SendAsync(topic, "key", "one", cancellationToken: Cancellation);

        Assert.Equal("one", (await consumer.ReceiveAsync()).Value);
        Assert.False(cluster.IsEmbedded);
        await run.DisposeAsync();
        await run.DisposeAsync();
        Assert.Equal((1, 1, true), (starts, stops, isGoneAtStop));
        Assert.Empty(_runs.Told);

        Task<StartedBroker> StartAsync(CancellationToken cancellation)
        {
            starts++;
            return Task.FromResult(new StartedBroker(TestBroker.ExternalAddress!, async () =>
            {
                stops++;
                await using var broker = new ExternalBroker(TestBroker.ExternalAddress!);
                isGoneAtStop = !(await broker.ListTopicsAsync()).Contains(topic);
            }));
        }
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task The_broker_that_the_environment_names_is_not_started_again(string kind)
    {
        Assert.NotNull(_runs.Options(kind));

        await using var cluster = await TestCluster.StartAsync(
            new TestClusterOptions { Start = _ => throw new InvalidOperationException("nobody starts it") }, Cancellation);

        Assert.Equal(TestBroker.ExternalAddress, cluster.BootstrapServers);
    }

    [Fact]
    public async Task A_start_that_takes_too_long_is_refused_and_what_comes_up_late_is_stopped()
    {
        var started = new TaskCompletionSource<StartedBroker>();
        var stopped = new TaskCompletionSource();
        var token = CancellationToken.None;
        var options = new TestClusterOptions
        {
            IgnoresEnvironment = true,
            StartLimit = TimeSpan.FromMilliseconds(20),
            Start = given =>
            {
                token = given;
                return started.Task;
            },
        };

        var refusal = await Assert.ThrowsAsync<TimeoutException>(() => TestCluster.StartAsync(options, Cancellation));

        Assert.Contains("was not there after 00:00:00.02", refusal.Message, StringComparison.Ordinal);
        Assert.True(token.IsCancellationRequested);
        started.SetResult(new StartedBroker("127.0.0.1:1", () =>
        {
            stopped.SetResult();
            return ValueTask.CompletedTask;
        }));
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(10), Cancellation);
    }

    [Fact]
    public async Task A_start_that_is_cancelled_or_fails_says_so_itself()
    {
        using var cancelled = new CancellationTokenSource();
        var options = new TestClusterOptions { IgnoresEnvironment = true, Start = _ => Task.FromException<StartedBroker>(new IOException("no image")) };

        Assert.Equal("no image", (await Assert.ThrowsAsync<IOException>(() => TestCluster.StartAsync(options, Cancellation))).Message);

        var waiting = TestCluster.StartAsync(options with { Start = _ => new TaskCompletionSource<StartedBroker>().Task }, cancelled.Token);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }
}
