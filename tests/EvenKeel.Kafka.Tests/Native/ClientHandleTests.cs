using System.Diagnostics;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Native;

public sealed class ClientHandleTests
{
    private const string LongVariable = "EVENKEEL_LONG_TESTS";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory(Explicit = true)]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Of_eight_threads_that_send_while_another_disposes_each_send_is_reported_once_or_refused(string kind)
    {
        var rounds = Environment.GetEnvironmentVariable(LongVariable) is { Length: > 0 } ? 1000 : 200;
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("race");
        await broker.CreateTopicAsync(topic, 4, Cancellation);
        var purged = 0L;
        for (var round = 0; round < rounds; round++)
        {
            var race = new DisposalRace(Producer(broker.BootstrapServers, ("queue.buffering.max.messages", "2000")), topic);
            await race.RunAsync(reportsBeforeDisposal: round % 3 * 20);

            Assert.Equal((race.Queued, 8), (race.Reported + race.Purged, race.Refused));
            purged += race.Purged;
        }
        Assert.True(purged > rounds, $"Only {purged} messages of {rounds} rounds were outstanding at the disposal: it raced nothing.");
    }

    [Fact]
    public async Task After_disposal_every_call_is_refused_by_name()
    {
        var client = Producer("127.0.0.1:1");
        var topic = client.Topic("t");
        var queue = EventQueue.Main(client);
        await client.DisposeAsync();

        var refusal = Assert.Throws<ObjectDisposedException>(() => client.Produce(topic, 0, "v"u8, [], 0));
        Assert.Contains(client.Name, refusal.Message, StringComparison.Ordinal);
        Assert.True(client.IsClosed);
        Assert.False(client.TryEnter(out _));
        Assert.Throws<ObjectDisposedException>(() => client.Topic("other"));
        Assert.Throws<ObjectDisposedException>(() => queue.Poll(TimeSpan.Zero).Dispose());
        Assert.Throws<ObjectDisposedException>(() => queue.Wake());
        Assert.Throws<ObjectDisposedException>(() => EventQueue.New(client));
        Assert.Throws<ObjectDisposedException>(() => client.OutstandingCount());
        queue.Dispose();
    }

    [Fact]
    public async Task Disposing_again_and_from_many_threads_is_harmless()
    {
        var client = Producer("127.0.0.1:1");

        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () => await client.DisposeAsync(), Cancellation)));
        await client.DisposeAsync();
        await client.CloseAsync(DestroyOptions.NoConsumerClose);

        Assert.True(client.Destroyed.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Disposal_waits_for_the_call_that_runs_and_is_accounted_for_meanwhile()
    {
        var client = Producer("127.0.0.1:1");
        var (entered, leave) = (new TaskCompletionSource(), new ManualResetEventSlim());
        var caller = Task.Factory.StartNew(
            () =>
            {
                using var call = client.Enter();
                entered.SetResult();
                leave.WaitHandle.WaitOne(Deadline);
                return Librdkafka.OutqLen(call.Client); // The native client must still be there.
            },
            Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await entered.Task;

        var destroyed = client.CloseAsync(DestroyOptions.None);
        Assert.Contains(ClientHandle.Destroying, entry => entry.Name == client.Name);
        await Assert.ThrowsAsync<TimeoutException>(() => destroyed.WaitAsync(TimeSpan.FromMilliseconds(50), Cancellation));
        leave.Set();

        Assert.True(await caller >= 0);
        await destroyed.WaitAsync(Deadline, Cancellation);
        Assert.DoesNotContain(ClientHandle.Destroying, entry => entry.Name == client.Name);
    }

    [Fact]
    public async Task Disposal_wakes_a_poll_that_waits()
    {
        var client = Producer("127.0.0.1:1", ("log_level", "0"));
        var queue = EventQueue.New(client);
        var poll = Task.Factory.StartNew(
            () => queue.Poll(TimeSpan.FromMinutes(10)).Dispose(), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        await client.DisposeAsync().AsTask().WaitAsync(Deadline, Cancellation);

        await Task.WhenAny(poll).WaitAsync(Deadline, Cancellation);
        Assert.True(poll.IsCompletedSuccessfully || poll.Exception!.InnerException is ObjectDisposedException, $"{poll.Exception}");
    }

    [Fact]
    public async Task A_client_can_be_closed_while_one_of_its_events_is_handled()
    {
        await using var broker = EmbeddedBroker.Start();
        var client = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(client);
        Assert.Equal(KafkaErrorCode.None, client.Produce(client.Topic("inside"), 0, "v"u8, [], 1));

        var destroyed = CloseInsideAnEvent(client, queue);

        await destroyed.WaitAsync(Deadline, Cancellation);
    }

    [Fact]
    public async Task A_sink_that_throws_does_not_keep_the_client_alive()
    {
        var client = Producer("127.0.0.1:1", ("log_level", "0"));
        Assert.Equal(KafkaErrorCode.None, client.Produce(client.Topic("t"), 0, "v"u8, [], 1));

        var thrown = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            client.CloseAsync(DestroyOptions.None, _ => throw new InvalidOperationException("the sink")).WaitAsync(Deadline, Cancellation));

        Assert.Equal("the sink", thrown.Message);
        Assert.DoesNotContain(ClientHandle.Destroying, entry => entry.Name == client.Name);
    }

    [Fact]
    public async Task A_queue_disposed_of_under_a_poll_is_freed_after_it()
    {
        await using var client = Producer("127.0.0.1:1");
        var queue = EventQueue.New(client);
        var poll = Task.Factory.StartNew(
            () => queue.Poll(TimeSpan.FromMilliseconds(200)).Dispose(),
            Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        queue.Dispose();
        queue.Dispose();

        await Task.WhenAny(poll);
        Assert.True(poll.IsCompletedSuccessfully || poll.Exception!.InnerException is ObjectDisposedException, $"{poll.Exception}");
        Assert.Throws<ObjectDisposedException>(() => queue.Length);
    }

    [Fact]
    public async Task Two_hundred_creations_from_64_threads_take_their_turns()
    {
        var before = CreationGate.Created;
        var left = 200;
        var clients = new System.Collections.Concurrent.ConcurrentBag<ClientHandle>();
        await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Factory.StartNew(
            () =>
            {
                while (Interlocked.Decrement(ref left) >= 0)
                    clients.Add(Producer("127.0.0.1:1", ("log_level", "0")));
            },
            Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

        Assert.Equal(200, clients.Count);
        Assert.True(CreationGate.Created >= before + 200);
        Assert.Equal(1, CreationGate.MostInside);
        Assert.All(clients, client => Assert.True(client.Creation.Took > TimeSpan.Zero && client.Creation.Waited >= TimeSpan.Zero));
        Assert.Contains(clients, client => client.Creation.Waited > client.Creation.Took);
        await Task.WhenAll(clients.Select(client => client.DisposeAsync().AsTask())).WaitAsync(Deadline, Cancellation);
    }

    private static Task CloseInsideAnEvent(ClientHandle client, EventQueue queue)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < Deadline)
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(50));
            if (next.Kind != EventKinds.DeliveryReport)
                continue;
            var destroyed = client.CloseAsync(DestroyOptions.None);
            Assert.False(destroyed.IsCompleted);
            Assert.Equal(1, next.TakeMessages(new nint[4])); // Still valid: the event holds the client.
            return destroyed;
        }
        throw new TimeoutException("No delivery report came.");
    }
}
