using System.Collections.Concurrent;
using EvenKeel.Kafka.Publishing;
using Npgsql;
using Xunit;
using static EvenKeel.Kafka.Tests.Publishing.ScriptedProducer;

namespace EvenKeel.Kafka.PostgreSql.Tests;

/// <summary>Connections that break, a server that is away, under load: nothing recorded is lost, and the order per key holds.</summary>
public sealed class OutageTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static readonly EventPublisherOptions Quick = new()
    {
        SweepPause = TimeSpan.FromMilliseconds(20),
        RetryPause = TimeSpan.FromMilliseconds(20),
        SendLimit = TimeSpan.FromSeconds(5),
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_a_server_the_caller_gets_an_error_and_nothing_is_published()
    {
        await using var source = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=nobody;Database=none;Timeout=2");

        var error = await Assert.ThrowsAsync<EventRepositoryException>(
            () => PostgreSqlEventRepository.OpenAsync(source, cancellationToken: Cancellation));

        Assert.Contains("make its tables", error.Message, StringComparison.Ordinal);
        Assert.IsType<NpgsqlException>(error.InnerException);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Breaking_connections_under_load_lose_nothing_recorded_and_keep_the_order_of_each_key(bool wireCut)
    {
        await using var database = Database.Take();
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        await using var relay = new Relay(settings.Host!, settings.Port);
        (settings.Host, settings.Port, settings.Timeout) = ("127.0.0.1", relay.Port, 2);
        settings.ApplicationName = database.Schema;
        await using var source = NpgsqlDataSource.Create(settings);
        var options = database.Options with { ClaimFor = TimeSpan.FromSeconds(2), CommandLimit = TimeSpan.FromSeconds(2) };
        var repositories = new[]
        {
            await PostgreSqlEventRepository.OpenAsync(source, options, Cancellation),
            await PostgreSqlEventRepository.OpenAsync(source, options, Cancellation),
        };
        await using var producer = Always(Delivered);
        var publishers = repositories.Select(repository => new EventPublisher(repository, producer, Quick)).ToArray();
        var recorded = new ConcurrentQueue<string>();
        var failed = 0;
        using var stop = new CancellationTokenSource();
        var sweepers = publishers.Select(publisher => new EventSweeper(publisher).RunAsync(stop.Token)).ToList();

        var callers = Enumerable.Range(0, 6).Select(caller => Task.Run(
            () => PublishAsync(caller, publishers, recorded.Enqueue, () => Interlocked.Increment(ref failed)))).ToList();
        for (var i = 0; i < 6; i++)
        {
            var before = recorded.Count;
            if (wireCut)
                relay.Cut();
            await UntilAsync(
                async () =>
                {
                    if (!wireCut)
                        await database.AskAsync(
                            $"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{database.Schema}'");
                    return Volatile.Read(ref failed) > i || callers.All(caller => caller.IsCompleted);
                },
                () => $"{failed} failed");
            relay.Mend();
            await UntilAsync(
                () => Task.FromResult(recorded.Count > before || callers.All(caller => caller.IsCompleted)), () => $"{recorded.Count} recorded");
        }
        await Task.WhenAll(callers).WaitAsync(Deadline, Cancellation);
        await UntilAsync(() => Task.FromResult(recorded.All(Sent().Contains)), () => $"{recorded.Count(id => !Sent().Contains(id))} of {recorded.Count} not sent");
        await stop.CancelAsync();
        await Task.WhenAll(sweepers).WaitAsync(Deadline, Cancellation);

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{recorded.Count} recorded, {failed} refused, {producer.Sent.Count} sent, {Sent().Count} ids");
        Assert.True(failed > 0);
        foreach (var key in producer.Sent.DistinctBy(record => record.EventId).GroupBy(record => record.Key))
        {
            var numbers = key.Select(record => int.Parse(record.Value!)).ToList();
            Assert.Equal(numbers.Order(), numbers);
        }

        HashSet<string> Sent() => [.. producer.Sent.Select(record => record.EventId)];
    }

    // Each caller has keys of its own, so that the order of recording is known: one call after the other.
    private static async Task PublishAsync(int caller, EventPublisher[] publishers, Action<string> recorded, Action failed)
    {
        for (var i = 0; i < 80; i++)
        {
            var outgoing = OutgoingEvent.Of("topic", $"key {caller} {i % 2}", $"{i}");
            try
            {
                await publishers[i % 2].PublishAsync(outgoing, Cancellation);
                recorded(outgoing.Id.ToString());
            }
            catch (EventRepositoryException)
            {
                failed();
            }
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, Func<string> state)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        using var deadline = new CancellationTokenSource(Deadline);
        while (!await condition())
        {
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"After {Deadline}: {state()}.");
            await tick.WaitForNextTickAsync(Cancellation);
        }
    }
}
