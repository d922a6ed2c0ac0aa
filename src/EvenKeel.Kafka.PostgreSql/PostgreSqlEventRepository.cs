using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using Npgsql;

namespace EvenKeel.Kafka.PostgreSql;

/// <summary>
/// Keeps events in PostgreSQL, for any number of processes. An event can be recorded in the transaction of the work that it tells of: then
/// both are there or neither.
/// </summary>
/// <remarks>
/// <para>Events of one key are in the order in which their transactions commit, because recording one takes a lock on the key to the end of
/// the transaction: a second transaction that records the key waits for it. Transactions that record several keys do so in one order of
/// keys, or PostgreSQL ends one of them as a deadlock.</para>
/// <para>The data source stays the caller's. One made by <c>NpgsqlSlimDataSourceBuilder</c> needs <c>EnableArrays()</c>.</para>
/// </remarks>
public sealed class PostgreSqlEventRepository : IEventRepository
{
    private const int TidiedAtOnce = 5000;
    private const int MaxTidies = 20;

    private readonly NpgsqlDataSource _source;
    private readonly PostgreSqlEventOptions _options;
    private readonly EventSql _sql;
    private readonly MarkLine _marks;

    private PostgreSqlEventRepository(NpgsqlDataSource source, PostgreSqlEventOptions options)
    {
        (_source, _options) = (source, options);
        _sql = new EventSql(options.Schema);
        _marks = new MarkLine(WriteMarksAsync);
    }

    private int LimitSeconds => (int)Math.Ceiling(_options.CommandLimit.TotalSeconds);

    /// <summary>Opens the repository of a schema; its tables are made or brought up to date, by one starter at a time.</summary>
    /// <param name="source">Where the database is.</param>
    /// <param name="options">Default: as the options say.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The repository.</returns>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    /// <exception cref="EventRepositoryException">The database is not available, refuses, or is of a later version.</exception>
    public static async Task<PostgreSqlEventRepository> OpenAsync(
        NpgsqlDataSource source, PostgreSqlEventOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        options ??= new PostgreSqlEventOptions();
        if (options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(options));
        var repository = new PostgreSqlEventRepository(source, options);
        await repository.AskAsync("make its tables", async connection =>
        {
            await EventSchema.MakeAsync(connection, options.Schema, repository.LimitSeconds, cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken).ConfigureAwait(false);
        return repository;
    }

    /// <inheritdoc/>
    public async ValueTask<RecordedEvent> RecordAsync(OutgoingEvent outgoing, CancellationToken cancellationToken = default)
    {
        EventPublisher.Check(outgoing);
        return await AskAsync("record an event", async connection =>
        {
            // One round trip and, without a transaction of the caller, one transaction.
            var batch = new NpgsqlBatch(connection) { Timeout = LimitSeconds };
            await using var _ = batch.ConfigureAwait(false);
            batch.BatchCommands.Add(new NpgsqlBatchCommand(EventSql.BeDurable));
            return await InsertAsync(batch, outgoing, _options.ClaimFor, cancellationToken).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Records an event in a transaction of the caller: it is there when that commits, and never was when it does not. After the commit
    /// hand it to <see cref="EventPublisher.PublishRecordedAsync"/>, or leave it to the sweeper.
    /// </summary>
    /// <param name="outgoing">The event.</param>
    /// <param name="transaction">An open transaction on a connection to the same database.</param>
    /// <param name="cancellationToken">Ends the wait; the transaction is then of no use any more.</param>
    /// <returns>The event with its place.</returns>
    /// <exception cref="NpgsqlException">As PostgreSQL said it, so that a caller who repeats transactions can tell which to
    /// repeat.</exception>
    public async Task<RecordedEvent> RecordAsync(
        OutgoingEvent outgoing, NpgsqlTransaction transaction, CancellationToken cancellationToken = default)
    {
        EventPublisher.Check(outgoing);
        ArgumentNullException.ThrowIfNull(transaction);
        var batch = new NpgsqlBatch(transaction.Connection, transaction) { Timeout = LimitSeconds };
        await using var _ = batch.ConfigureAwait(false);
        return await InsertAsync(batch, outgoing, _options.FreshFor, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryClaimAsync(RecordedEvent recorded, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        return await AskAsync("claim an event", async connection =>
        {
            var command = Command(connection, _sql.TryClaim);
            await using var _ = command.ConfigureAwait(false);
            command.Parameters.Add(Of(recorded.Position));
            command.Parameters.Add(Of(recorded.Claim));
            command.Parameters.Add(Of(_options.ClaimFor.TotalSeconds));
            return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RecordedEvent>> ClaimDueAsync(int maxEvents, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEvents, 1);
        var claim = Guid.NewGuid();
        var claimed = await AskAsync("claim what is due", async connection =>
        {
            var command = Command(connection, _sql.ClaimDue);
            await using var _ = command.ConfigureAwait(false);
            command.Parameters.Add(Of((long)maxEvents));
            command.Parameters.Add(Of(claim));
            command.Parameters.Add(Of(_options.ClaimFor.TotalSeconds));
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using var __ = reader.ConfigureAwait(false);
            var read = new List<RecordedEvent>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                read.Add(new RecordedEvent(reader.GetInt64(0), ReadEvent(reader), claim));
            return read;
        }, cancellationToken).ConfigureAwait(false);
        claimed.Sort((one, other) => one.Position.CompareTo(other.Position)); // An UPDATE returns rows as it likes.
        return claimed;
    }

    /// <inheritdoc/>
    public async ValueTask MarkAsync(IReadOnlyList<EventMark> marks, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(marks);
        if (marks.Count > 0)
            await _marks.AddAsync(marks).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes settled events that were kept long enough, refused ones by their own time.</summary>
    /// <inheritdoc/>
    public async ValueTask TidyAsync(CancellationToken cancellationToken = default)
    {
        for (var i = 0; i < MaxTidies; i++)
        {
            var removed = await AskAsync("remove what is settled", async connection =>
            {
                var command = Command(connection, _sql.Tidy);
                await using var _ = command.ConfigureAwait(false);
                command.Parameters.Add(Of(_options.KeepSettledFor.TotalSeconds));
                command.Parameters.Add(Of(_options.KeepRefusedFor.TotalSeconds));
                command.Parameters.Add(Of((long)TidiedAtOnce));
                return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }, cancellationToken).ConfigureAwait(false);
            if (removed < TidiedAtOnce)
                return;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<EventBacklog> CountAsync(CancellationToken cancellationToken = default) =>
        await AskAsync("count its events", async connection =>
        {
            var command = Command(connection, _sql.Count);
            await using var _ = command.ConfigureAwait(false);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using var __ = reader.ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            return new EventBacklog(reader.GetInt64(0), reader.GetInt64(1), 0);
        }, cancellationToken).ConfigureAwait(false);

    private static NpgsqlParameter<T> Of<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter OfNullable<T>(T? value, NpgsqlTypes.NpgsqlDbType type) =>
        new() { Value = value is null ? DBNull.Value : value, NpgsqlDbType = type };

    private static OutgoingEvent ReadEvent(NpgsqlDataReader reader)
    {
        var names = reader.GetFieldValue<string[]>(5);
        var values = reader.GetFieldValue<byte[]?[]>(6);
        return new OutgoingEvent(
            reader.GetString(2), reader.GetFieldValue<byte[]>(3),
            reader.IsDBNull(4) ? (ReadOnlyMemory<byte>?)null : reader.GetFieldValue<byte[]>(4))
        {
            Id = reader.GetGuid(1),
            TimestampMs = reader.GetInt64(7),
            Headers = [.. names.Zip(values, (name, value) => new RecordHeader(
                name, value is null ? (ReadOnlyMemory<byte>?)null : value))],
        };
    }

    private static string NameOf(EventFate fate) => fate switch
    {
        EventFate.Delivered => "delivered",
        EventFate.Spilled => "spilled",
        EventFate.Refused => "refused",
        _ => throw new InvalidOperationException($"{fate} settles nothing."),
    };

    /// <summary>Runs the batch with the recording at its end.</summary>
    private async Task<RecordedEvent> InsertAsync(
        NpgsqlBatch batch, OutgoingEvent outgoing, TimeSpan claimFor, CancellationToken cancellationToken)
    {
        var lane = EventLane.Of(_options.Schema, outgoing);
        var claim = Guid.NewGuid();
        if (lane is { } locked)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(EventSql.LockLane) { Parameters = { Of(locked) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(_sql.Insert)
        {
            Parameters =
            {
                Of(outgoing.Id),
                Of(outgoing.Topic),
                Of(outgoing.Key.ToArray()),
                OfNullable(outgoing.Value?.ToArray(), NpgsqlTypes.NpgsqlDbType.Bytea),
                Of(outgoing.Headers.Select(header => header.Name).ToArray()),
                Of(outgoing.Headers.Select(header => header.Value?.ToArray()).ToArray()),
                Of(outgoing.TimestampMs),
                OfNullable(lane, NpgsqlTypes.NpgsqlDbType.Bigint),
                Of(claim),
                Of(claimFor.TotalSeconds),
            },
        });
        var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var _ = reader.ConfigureAwait(false);
        for (var i = 1; i < batch.BatchCommands.Count; i++)
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var recorded = new RecordedEvent(reader.GetInt64(0), outgoing with { TimestampMs = reader.GetInt64(1) }, claim);
        // The transaction of a batch ends with its last answer: before it, nothing is promised.
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.CloseAsync().ConfigureAwait(false);
        return recorded;
    }

    private async Task WriteMarksAsync(IReadOnlyList<EventMark> marks)
    {
        try
        {
            await WriteMarksOnceAsync(marks).ConfigureAwait(false);
        }
        catch (EventRepositoryException error) when (error.InnerException is NpgsqlException { IsTransient: true })
        {
            // Marks may be written twice: once more, on another connection, is cheaper than a duplicate.
            await WriteMarksOnceAsync(marks).ConfigureAwait(false);
        }
    }

    private Task<int> WriteMarksOnceAsync(IReadOnlyList<EventMark> marks) => AskAsync("keep marks", async connection =>
    {
        var batch = new NpgsqlBatch(connection) { Timeout = LimitSeconds };
        await using var _ = batch.ConfigureAwait(false);
        // In one order everywhere, so that no two of them wait for each other's rows.
        var settling = marks.Where(mark => mark.Fate != EventFate.Released).OrderBy(mark => mark.Event.Position).ToList();
        if (settling.Count > 0)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(_sql.Settle)
            {
                Parameters =
                {
                    Of(settling.Select(mark => mark.Event.Position).ToArray()),
                    Of(settling.Select(mark => NameOf(mark.Fate)).ToArray()),
                    Of(settling.Select(mark => mark.Reason).ToArray()),
                },
            });
        var releasing = marks.Where(mark => mark.Fate == EventFate.Released).OrderBy(mark => mark.Event.Position).ToList();
        if (releasing.Count > 0)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(_sql.Release)
            {
                Parameters =
                {
                    Of(releasing.Select(mark => mark.Event.Position).ToArray()),
                    Of(releasing.Select(mark => mark.Event.Claim).ToArray()),
                    Of(releasing.Select(mark => mark.RetryIn.TotalSeconds).ToArray()),
                    Of(releasing.Select(mark => mark.Reason).ToArray()),
                },
            });
        return await batch.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
    }, CancellationToken.None);

    private NpgsqlCommand Command(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // Constant but for the schema, whose name the options have checked.
        return new NpgsqlCommand(sql, connection) { CommandTimeout = LimitSeconds };
#pragma warning restore CA2100
    }

    private async Task<T> AskAsync<T>(string what, Func<NpgsqlConnection, Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var _ = connection.ConfigureAwait(false);
            return await ask(connection).ConfigureAwait(false);
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException or ObjectDisposedException)
        {
            throw new EventRepositoryException(
                $"PostgreSQL did not {what} in schema '{_options.Schema}': {error.Message} See that the server is there and takes commands "
                + $"within {_options.CommandLimit} (CommandLimit).",
                error);
        }
    }
}
