using System.Text;
using System.Text.Json;
using MetricStream.Queueing;
using Npgsql;
using NpgsqlTypes;

namespace MetricStream.Storing;

/// <summary>
/// Turns the records of one transaction into rows in PostgreSQL: batches and samples by binary COPY, the fate of each record decided by
/// the unique key of batches. One thread uses it at a time.
/// </summary>
internal sealed class PostgresWriter(PostgresKeys keys, PostgresDays days, string storedBy)
{
    // One transaction.
    private readonly List<PostgresRecord> _records = [];
    private readonly Dictionary<byte[], Settlement> _settled = new(KeyBytes.Comparer);
    private readonly Dictionary<byte[], long> _acceptances = new(KeyBytes.Comparer);
    private readonly SortedDictionary<long, (long Count, long LastSeen)> _clients = [];
    private readonly List<DueLetter> _due = [];
    private long _born;
    private byte[] _owner = [];
    private int _stored;
    private int _duplicates;
    private int _deadLettered;
    private int _replays;

    // A dead letter is tried again.
    private bool _isRetry;
    private bool _isRefusedAgain;

    /// <summary>What can be prepared before the transaction: each body read, each series and client with a number,
    /// each day with its partition.</summary>
    public void Prepare(NpgsqlConnection connection, StoreTransaction transaction)
    {
        _records.Clear();
        foreach (var record in transaction.Records)
        {
            if (record.Position >= transaction.NextPosition)
            {
                throw new InvalidOperationException(
                    $"Record {record.Position} of {transaction.Source} lies beyond the next position {transaction.NextPosition}.");
            }

            _records.Add(Read(record));
        }

        keys.Learn(connection, _records);
        days.Prepare(connection, _records);
    }

    public StoreReceipt Write(NpgsqlConnection connection, StoreTransaction transaction)
    {
        Begin();

        // 1. Where the source stands, locked until the end; with a fence nobody else may have taken it over.
        var (source, position) = TakeSource(connection, transaction);
        var fresh = _records.Where(record => record.Record.Position >= position).ToList();

        // 2. What came before under its id, then all bodies that can be stored: the unique key decides which are.
        ReadSettled(connection, fresh);
        var inserted = InsertBatches(connection, source, fresh);

        // 3. Each record becomes a batch, a duplicate or a dead letter, in order.
        foreach (var record in fresh)
            Settle(connection, transaction, source, record, inserted);
        if (_due.Count > 0)
            throw new LettersDueException([.. _due]);

        // 4. Samples, sums and the position.
        CopySamples(connection, fresh.Where(record => record.IsStored));
        MarkLate(connection, fresh.Where(record => record.IsStored));
        WriteSums(connection);
        WriteSource(connection, transaction, (source, position, fresh.Count));
        return new StoreReceipt(_stored, _duplicates, _deadLettered);
    }

    /// <summary>Writes the one record of a transaction, a dead letter so far, as if it came now; false: it is refused again.</summary>
    public bool Retry(NpgsqlConnection connection, StoreTransaction transaction)
    {
        Begin();
        _isRetry = true;
        var (source, _) = TakeSource(connection, transaction);
        var inserted = InsertBatches(connection, source, _records);
        Settle(connection, transaction, source, _records[0], inserted);
        _isRetry = false;
        if (_isRefusedAgain)
            return false;
        CopySamples(connection, _records.Where(record => record.IsStored));
        MarkLate(connection, _records.Where(record => record.IsStored));
        WriteSums(connection);
        return true;
    }

    private void Begin()
    {
        _stored = _duplicates = _deadLettered = _replays = 0;
        _isRetry = _isRefusedAgain = false;
        _due.Clear();
        _clients.Clear();
        _acceptances.Clear();
    }

    private static PostgresRecord Read(in StoreRecord record)
    {
        var read = new PostgresRecord(record);
        if (record.Refusal is not null || record.Batch is not { Kind: BatchRecordKind.Batch } batch)
        {
            read.Problem = record.Refusal
                ?? (record.Batch is null ? "The record is of a kind or version that this program does not know." : null);
            return read;
        }

        var reader = new BatchReader(batch.Body.Span, batch.ArrivedUnixMs);
        try
        {
            while (reader.Read())
                read.Metrics.Add(new PostgresMetric(reader.SeriesKey.ToArray(), reader.TimestampUnixMs, reader.Value));
        }
        catch (Exception unreadable) when (
            unreadable is JsonException or InvalidOperationException or ArgumentException or OverflowException)
        {
            read.Problem = $"The body cannot be read: {unreadable.Message}";
        }
        finally
        {
            reader.Dispose();
        }

        return read;
    }

    private (long Source, long Position) TakeSource(NpgsqlConnection connection, StoreTransaction transaction)
    {
        connection.Run("INSERT INTO sources(source, position, owner) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
            transaction.Source, storedBy);
        using var command = connection.Command(
            "SELECT id, position, fence, born, coalesce(owner, '') FROM sources WHERE source = $1 FOR UPDATE", transaction.Source);
        using var row = command.ExecuteReader();
        row.Read();
        var (id, position, fence) = (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2));
        (_born, _owner) = (row.GetInt64(3), Encoding.ASCII.GetBytes(row.GetString(4)));
        if (transaction.Fence is { } ours)
            StoreFence.ThrowIfPassed(transaction, ours, fence, position);
        return (id, position);
    }

    private void ReadSettled(NpgsqlConnection connection, List<PostgresRecord> records)
    {
        _settled.Clear();
        var ids = records.Where(record => !record.Record.Id.IsEmpty).Select(record => record.Record.Id.ToArray()).ToArray();
        if (ids.Length == 0)
            return;
        using var command = connection.Command("SELECT record_id, outcome FROM settled WHERE record_id = ANY($1)", (object)ids);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            _settled[rows.GetFieldValue<byte[]>(0)] = (Settlement)rows.GetInt16(1);
    }

    /// <summary>The positions of those that are batches now.</summary>
    private HashSet<long> InsertBatches(NpgsqlConnection connection, long source, List<PostgresRecord> records)
    {
        connection.Run("""
            CREATE TEMP TABLE IF NOT EXISTS incoming(
                position bigint, client bigint, batch_id text COLLATE "C", arrived bigint, metrics integer, body bytea, record_id bytea)
                ON COMMIT DELETE ROWS
            """);
        using (var copy = connection.BeginBinaryImport(
            "COPY incoming(position, client, batch_id, arrived, metrics, body, record_id) FROM STDIN (FORMAT BINARY)"))
        {
            foreach (var record in records.Where(record => record.IsReadable && Before(record) != Settlement.Duplicate))
            {
                var batch = record.Batch;
                copy.StartRow();
                copy.Write(record.Record.Position, NpgsqlDbType.Bigint);
                copy.Write(keys.Client(batch), NpgsqlDbType.Bigint);
                copy.Write(PostgresKeys.Text(batch.BatchId), NpgsqlDbType.Text);
                copy.Write(batch.ArrivedUnixMs, NpgsqlDbType.Bigint);
                copy.Write(record.Metrics.Count, NpgsqlDbType.Integer);
                copy.Write(batch.Body.ToArray(), NpgsqlDbType.Bytea);
                if (record.Record.Id.IsEmpty)
                    copy.WriteNull();
                else
                    copy.Write(record.Record.Id.ToArray(), NpgsqlDbType.Bytea);
            }

            copy.Complete();
        }

        var inserted = new HashSet<long>();
        using var command = connection.Command("""
            INSERT INTO batches(client, batch_id, source, position, arrived, metrics, body, record_id)
            SELECT client, batch_id, $1, position, arrived, metrics, body, record_id FROM incoming ORDER BY position
            ON CONFLICT DO NOTHING RETURNING position
            """, source);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            inserted.Add(rows.GetInt64(0));
        return inserted;
    }

    private void Settle(
        NpgsqlConnection connection, StoreTransaction transaction, long source, PostgresRecord record, HashSet<long> inserted)
    {
        var before = Before(record);
        if (before == Settlement.Duplicate)
        {
            _replays++;
        }
        else if (!record.IsReadable && record.Problem is null)
        {
            Count(connection, record, before); // A re-send without its body.
            _duplicates++;
        }
        else if (record.Problem is { } problem)
        {
            DeadLetter(connection, transaction, (source, record, before), problem);
        }
        else if (inserted.Contains(record.Record.Position))
        {
            Count(connection, record, before);
            record.IsStored = true;
            _stored++;
        }
        else
        {
            SettleKnown(connection, transaction, source, record);
        }
    }

    private void SettleKnown(NpgsqlConnection connection, StoreTransaction transaction, long source, PostgresRecord record)
    {
        var before = Before(record);
        var (isReplay, isResend) = Compare(connection, record);
        if (isReplay)
        {
            _replays++;
        }
        else if (isResend)
        {
            Count(connection, record, before);
            _duplicates++;
            if (!record.Record.Id.IsEmpty)
                Remember(connection, record, Settlement.Duplicate);
        }
        else
        {
            DeadLetter(connection, transaction, (source, record, before),
                "The batch id is in use by a batch of this client with another body.");
        }
    }

    private (bool IsReplay, bool IsResend) Compare(NpgsqlConnection connection, PostgresRecord record)
    {
        using var command = connection.Command(
            "SELECT coalesce(record_id = $3, false), body = $4 FROM batches WHERE client = $1 AND batch_id = $2",
            keys.Client(record.Batch), PostgresKeys.Text(record.Batch.BatchId), record.Record.Id.ToArray(), record.Batch.Body.ToArray());
        using var row = command.ExecuteReader();
        return row.Read() ? (!record.Record.Id.IsEmpty && row.GetBoolean(0), row.GetBoolean(1)) : (false, false);
    }

    private Settlement Before(PostgresRecord record) =>
        _isRetry ? Settlement.DeadLetter
        : record.Record.Id.IsEmpty ? Settlement.None
        : _settled.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(record.Record.Id.Span, out var known) ? known : Settlement.None;

    private void Remember(NpgsqlConnection connection, PostgresRecord record, Settlement outcome)
    {
        var id = record.Record.Id.ToArray();
        _settled[id] = outcome;
        connection.Run("INSERT INTO settled(record_id, arrived, outcome) VALUES ($1, $2, $3)",
            id, record.Record.Batch?.ArrivedUnixMs ?? 0, (short)outcome);
    }

    private void Count(NpgsqlConnection connection, PostgresRecord record, Settlement before)
    {
        if (before == Settlement.DeadLetter)
        {
            _deadLettered--;
            _settled.Remove(record.Record.Id.ToArray());
            connection.Run("DELETE FROM settled WHERE record_id = $1", record.Record.Id.ToArray());
            return;
        }

        if (!record.Record.Id.IsEmpty)
        {
            var counts = _acceptances.GetAlternateLookup<ReadOnlySpan<byte>>();
            var server = AcceptanceBook.WhoseIn(record.Record.Id.Span, record.Record.Position, _born, _owner);
            counts[server] = counts.TryGetValue(server, out var count) ? count + 1 : 1;
        }

        if (record.Record.Batch is { } batch)
        {
            var client = keys.Client(batch);
            var known = _clients.GetValueOrDefault(client);
            _clients[client] = (known.Count + 1, Math.Max(known.LastSeen, batch.ArrivedUnixMs));
        }
    }

    private void DeadLetter(
        NpgsqlConnection connection, StoreTransaction transaction, (long Source, PostgresRecord Record, Settlement Before) letter,
        string reason)
    {
        var record = letter.Record.Record;
        if (transaction.Fence is not null && !transaction.LettersKept.Contains(record.Position))
        {
            _due.Add(new DueLetter(record, reason));
            return;
        }

        if (letter.Before == Settlement.DeadLetter)
        {
            _isRefusedAgain = true;
            return;
        }

        Count(connection, letter.Record, letter.Before);
        _deadLettered++;
        if (transaction.Fence is not null)
        {
            Remember(connection, letter.Record, Settlement.DeadLetter);
            return;
        }

        connection.Run(
            "INSERT INTO dead_letters(source, position, client, batch_id, reason, arrived, body) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            letter.Source, record.Position, record.Batch is { } of ? PostgresKeys.Text(of.ClientId) : DBNull.Value,
            record.Batch is { } id ? PostgresKeys.Text(id.BatchId) : DBNull.Value, reason,
            record.Batch is { } at ? at.ArrivedUnixMs : DBNull.Value, (record.Batch?.Body ?? record.Bytes).ToArray());
    }

    private void CopySamples(NpgsqlConnection connection, IEnumerable<PostgresRecord> stored)
    {
        using var copy = connection.BeginBinaryImport("COPY samples_by_day(series, time, value) FROM STDIN (FORMAT BINARY)");
        foreach (var metric in stored.SelectMany(record => record.Metrics))
        {
            copy.StartRow();
            copy.Write(keys.Series(metric.Key), NpgsqlDbType.Bigint);
            copy.Write(metric.UnixMs, NpgsqlDbType.Bigint);
            copy.Write(metric.Value, NpgsqlDbType.Double);
        }

        copy.Complete();
    }

    /// <summary>Samples of times that were rolled up already: their minutes are rolled up anew. The row that says what is closed, and the
    /// marks, are held until the commit: whoever rolls up sees these samples, or finds the marks.</summary>
    private void MarkLate(NpgsqlConnection connection, IEnumerable<PostgresRecord> stored)
    {
        var closedUntil = connection.Number("SELECT value FROM rollup_state WHERE name = 'closed' FOR SHARE");
        var late = new SortedSet<(long Series, long Minute)>(stored.SelectMany(record => record.Metrics)
            .Where(metric => metric.UnixMs < closedUntil)
            .Select(metric => (keys.Series(metric.Key), Rollup.Floor(metric.UnixMs, Rollup.Minute))));
        if (late.Count > 0)
        {
            connection.Run("""
                INSERT INTO late(series, minute) SELECT * FROM unnest($1, $2)
                ON CONFLICT (series, minute) DO UPDATE SET minute = excluded.minute
                """, late.Select(mark => mark.Series).ToArray(), late.Select(mark => mark.Minute).ToArray());
        }
    }

    // Clients in the order of their numbers, so that two servers that share some do not wait for each other in a circle.
    private void WriteSums(NpgsqlConnection connection)
    {
        foreach (var (client, (count, lastSeen)) in _clients)
        {
            connection.Run("UPDATE clients SET acknowledged = acknowledged + $2, last_seen = greatest(last_seen, $3) WHERE id = $1",
                client, count, lastSeen);
        }

        foreach (var (server, count) in _acceptances)
        {
            connection.Run("""
                INSERT INTO acceptances(stored_by, server, count) VALUES ($1, $2, $3)
                ON CONFLICT (stored_by, server) DO UPDATE SET count = acceptances.count + $3
                """, storedBy, PostgresKeys.Text(server), count);
        }

        connection.Run("""
            INSERT INTO counters(stored_by, stored, duplicates, dead_lettered, replays) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (stored_by) DO UPDATE SET stored = counters.stored + $2, duplicates = counters.duplicates + $3,
                dead_lettered = counters.dead_lettered + $4, replays = counters.replays + $5
            """, storedBy, (long)_stored, (long)_duplicates, (long)_deadLettered, (long)_replays);
    }

    private static void WriteSource(
        NpgsqlConnection connection, StoreTransaction transaction, (long Id, long Position, int Fresh) source)
    {
        if (transaction.NextPosition <= source.Position)
            return;
        // As in SQLite: a repeated write names damage that may have been counted.
        var missing = transaction.NextPosition - source.Position - source.Fresh;
        connection.Run("UPDATE sources SET position = $2, quarantined = quarantined + $3, lost = lost + $4 WHERE id = $1",
            source.Id, transaction.NextPosition, Math.Min(transaction.Quarantined, missing), Math.Min(transaction.Lost, missing));
    }
}
