using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using EvenKeel.Kafka.Tests.Publishing;
using Npgsql;
using Xunit;
using static EvenKeel.Kafka.Tests.Publishing.ScriptedProducer;

namespace EvenKeel.Kafka.PostgreSql.Tests;

/// <summary>What the repository in PostgreSQL keeps, in whose transaction, and for whom.</summary>
public sealed class RepositoryTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Several_processes_sweep_it_without_a_gap_a_double_or_a_wrong_order()
    {
        await using var database = Database.Take();

        await RepositoryContract.HoldsWithManyClaimers(
            [await database.OpenAsync(), await database.OpenAsync(), await database.OpenAsync()], seed: 20261121);
    }

    [Fact]
    public async Task Claims_are_for_one_and_marks_of_a_lost_claim_release_nothing()
    {
        await using var database = Database.Take();

        await RepositoryContract.KeepsClaimsApart(await database.OpenAsync());
    }

    [Fact]
    public async Task An_event_comes_back_as_it_was_recorded()
    {
        await using var database = Database.Take();
        var repository = await database.OpenAsync();
        OutgoingEvent[] events =
        [
            new("plain", new byte[] { 0, 255, 7 }, new byte[] { 1, 2, 3 }) { TimestampMs = 123 },
            new("tombstone", new byte[4000], null) { TimestampMs = 5 },
            new("empty", default, Array.Empty<byte>())
            {
                Headers = [new RecordHeader("none", null), RecordHeader.Of("tëxt", "välue")],
                TimestampMs = 6,
            },
        ];
        foreach (var outgoing in events)
            await repository.MarkAsync([new EventMark(await repository.RecordAsync(outgoing, Cancellation), EventFate.Released)], Cancellation);

        var read = await (await database.OpenAsync()).ClaimDueAsync(10, Cancellation);

        Assert.Equal(events.Select(RepositoryContract.Text), read.Select(found => RepositoryContract.Text(found.Event)));
        var now = await repository.RecordAsync(OutgoingEvent.Of("plain", null, ""), Cancellation);
        Assert.InRange(now.Event.TimestampMs, 1_700_000_000_000, long.MaxValue);
    }

    [Fact]
    public async Task An_event_is_there_exactly_when_the_callers_transaction_commits()
    {
        await using var database = Database.Take();
        var repository = await database.OpenAsync(database.Options with { FreshFor = TimeSpan.Zero });
        await database.AskAsync($"CREATE TABLE {database.Schema}.work (id integer)");
        await using var producer = Always(Delivered);
        var publisher = new EventPublisher(repository, producer);

        foreach (var commit in new[] { false, true })
        {
            await using var connection = await database.Source.OpenConnectionAsync(Cancellation);
            await using var transaction = await connection.BeginTransactionAsync(Cancellation);
            await using (var work = new NpgsqlCommand($"INSERT INTO {database.Schema}.work VALUES (1)", connection, transaction))
                await work.ExecuteNonQueryAsync(Cancellation);
            var recorded = await repository.RecordAsync(OutgoingEvent.Of("topic", "key", $"{commit}"), transaction, Cancellation);
            Assert.Empty(await repository.ClaimDueAsync(10, Cancellation)); // Nobody sees it yet.
            if (!commit)
            {
                await transaction.RollbackAsync(Cancellation);
                Assert.Equal(PublishStatus.Held, (await publisher.PublishRecordedAsync(recorded, Cancellation)).Status);
                continue;
            }
            await transaction.CommitAsync(Cancellation);
            Assert.Equal(PublishStatus.Published, (await publisher.PublishRecordedAsync(recorded, Cancellation)).Status);
            Assert.Equal(PublishStatus.Held, (await publisher.PublishRecordedAsync(recorded, Cancellation)).Status); // Settled already.
        }

        Assert.Equal(["True"], producer.Values);
        Assert.Equal(1L, await database.AskAsync($"SELECT count(*) FROM {database.Schema}.work"));
        Assert.Equal("delivered", await database.AskAsync($"SELECT fate FROM {database.Schema}.event"));
    }

    [Fact]
    public async Task A_second_transaction_that_records_the_key_waits_for_the_first_so_that_positions_commit_in_order()
    {
        await using var database = Database.Take();
        var repository = await database.OpenAsync(database.Options with { FreshFor = TimeSpan.Zero });
        await using var connection = await database.Source.OpenConnectionAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        var first = await repository.RecordAsync(OutgoingEvent.Of("topic", "key", "1"), transaction, Cancellation);

        var second = repository.RecordAsync(OutgoingEvent.Of("topic", "key", "2"), Cancellation).AsTask();
        var other = await repository.RecordAsync(OutgoingEvent.Of("topic", "other", "3"), Cancellation); // Another key does not wait.
        await UntilAsync(
            async () => (long)(await database.AskAsync("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))! > 0,
            "nobody waits for the lock of the key");
        Assert.False(second.IsCompleted);
        await repository.MarkAsync([new EventMark(other, EventFate.Released)], Cancellation);
        Assert.Equal([other.Position], (await repository.ClaimDueAsync(10, Cancellation)).Select(next => next.Position));
        await transaction.CommitAsync(Cancellation);

        Assert.True((await second.WaitAsync(Deadline, Cancellation)).Position > first.Position);
        Assert.Equal(
            [first.Position, (await second).Position], (await repository.ClaimDueAsync(10, Cancellation)).Select(next => next.Position));
    }

    [Fact]
    public async Task Refused_events_are_kept_with_their_reason_longer_than_delivered_ones()
    {
        await using var database = Database.Take();
        var repository = await database.OpenAsync(database.Options with { KeepSettledFor = TimeSpan.Zero });
        await using var producer = new ScriptedProducer(
            record => Task.FromResult(record.Value == "bad" ? RefusedForGood() : Delivered()));
        var publisher = new EventPublisher(repository, producer);

        Assert.Equal(PublishStatus.Refused, (await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "bad"), Cancellation)).Status);
        Assert.Equal(PublishStatus.Published, (await publisher.PublishAsync(OutgoingEvent.Of("topic", "key", "good"), Cancellation)).Status);
        await repository.RecordAsync(OutgoingEvent.Of("topic", "key", "unsettled"), Cancellation);
        await repository.TidyAsync(Cancellation);

        Assert.Equal(new EventBacklog(1, 1, 0), await repository.CountAsync(Cancellation));
        Assert.Equal(2L, await database.AskAsync($"SELECT count(*) FROM {database.Schema}.event"));
        Assert.Contains(
            "larger than the broker takes", (string)(await database.AskAsync($"SELECT reason FROM {database.Schema}.event WHERE fate = 'refused'"))!,
            StringComparison.Ordinal);
        await (await database.OpenAsync(database.Options with { KeepRefusedFor = TimeSpan.Zero })).TidyAsync(Cancellation);
        Assert.Equal(new EventBacklog(1, 0, 0), await repository.CountAsync(Cancellation));
    }

    [Fact]
    public async Task Many_starters_at_once_make_one_set_of_tables_and_a_later_version_is_refused()
    {
        await using var database = Database.Take();

        var repositories = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => Task.Run(() => database.OpenAsync())));

        Assert.All(repositories, Assert.NotNull);
        Assert.Equal(1L, await database.AskAsync($"SELECT count(*) FROM {database.Schema}.event_schema"));
        await database.AskAsync($"UPDATE {database.Schema}.event_schema SET version = 99");
        var later = await Assert.ThrowsAsync<EventRepositoryException>(() => database.OpenAsync());
        Assert.Contains("version 99", later.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_long_run_does_not_keep_other_keys_out_of_a_sweep()
    {
        await using var database = Database.Take();
        var repository = await database.OpenAsync();
        for (var i = 0; i < 30; i++)
        {
            var recorded = await repository.RecordAsync(OutgoingEvent.Of("topic", i < 28 ? "long" : $"short {i}", $"{i}"), Cancellation);
            await repository.MarkAsync([new EventMark(recorded, EventFate.Released)], Cancellation);
        }

        var claimed = await repository.ClaimDueAsync(10, Cancellation);

        Assert.Equal(10, claimed.Count);
        Assert.Equal(["28", "29"], claimed.Select(next => System.Text.Encoding.UTF8.GetString(next.Event.Value!.Value.Span)).TakeLast(2));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string state)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        using var deadline = new CancellationTokenSource(Deadline);
        while (!await condition())
        {
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"After {Deadline}: {state}.");
            await tick.WaitForNextTickAsync(Cancellation);
        }
    }
}
