using System.Text;
using System.Text.Json;
using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>
/// Turns the records of one transaction into rows, on the writer's connection, inside a transaction that its owner opened.
/// The owner tells it afterwards whether that was committed or rolled back.
/// </summary>
internal sealed class TransactionWriter
{
    // Beyond this many, the memory of series (or clients) is dropped and looked up again: see KeyedRows.
    internal const int RememberedRows = 1_000_000;

    // Rows of one multi-row insert: opening the table's cursor and ending the statement are paid once for all of them.
    private const int SamplesPerInsert = 16;

    private readonly Database _database;
    private readonly KeyedRows _series;
    private readonly KeyedRows _clients;

    // One transaction.
    private readonly List<PendingSample> _samples = [];
    private readonly List<ParsedMetric> _parsed = [];
    private long _nextOrdinal;
    private long _sourceId;
    private int _stored;
    private int _duplicates;
    private int _deadLettered;

    private readonly SqliteStatement _insertSource;
    private readonly SqliteStatement _selectSource;
    private readonly SqliteStatement _updateSource;
    private readonly SqliteStatement _selectClient;
    private readonly SqliteStatement _insertClient;
    private readonly SqliteStatement _updateClient;
    private readonly SqliteStatement _selectSeries;
    private readonly SqliteStatement _insertSeries;
    private readonly SqliteStatement _insertTotal;
    private readonly SqliteStatement _updateTotal;
    private readonly SqliteStatement _insertBatch;
    private readonly SqliteStatement _selectBody;
    private readonly SqliteStatement _insertSample;
    private readonly SqliteStatement _insertSamples;
    private readonly SqliteStatement _insertDeadLetter;
    private readonly SqliteStatement _selectOrdinal;
    private readonly SqliteStatement _updateCounters;

    public TransactionWriter(Database database, int rememberedRows = RememberedRows)
    {
        _database = database;
        _series = new KeyedRows(FindOrInsertSeries, rememberedRows);
        _clients = new KeyedRows(FindOrInsertClient, rememberedRows);
        _insertSource = database.Prepare("INSERT OR IGNORE INTO sources(source, position, quarantined) VALUES (?, 0, 0)");
        _selectSource = database.Prepare("SELECT id, position FROM sources WHERE source = ?");
        _updateSource = database.Prepare("UPDATE sources SET position = ?, quarantined = quarantined + ? WHERE id = ?");
        _selectClient = database.Prepare("SELECT id FROM clients WHERE client = ?");
        _insertClient = database.Prepare("INSERT INTO clients(client, acknowledged, rejected, last_seen) VALUES (?, 0, 0, 0)");
        _updateClient = database.Prepare(
            "UPDATE clients SET acknowledged = acknowledged + ?, last_seen = max(last_seen, ?) WHERE id = ?");
        _selectSeries = database.Prepare("SELECT id FROM series WHERE key = ?");
        _insertSeries = database.Prepare("INSERT INTO series(key, name, type, tags) VALUES (?, ?, ?, ?)");
        _insertTotal = database.Prepare("INSERT INTO series_totals(series, samples) VALUES (?, 0)");
        _updateTotal = database.Prepare("UPDATE series_totals SET samples = samples + ? WHERE series = ?");
        _insertBatch = database.Prepare(
            "INSERT OR IGNORE INTO batches(client, batch_id, source, position, arrived, metrics, body) VALUES (?, ?, ?, ?, ?, ?, ?)");
        _selectBody = database.Prepare("SELECT body FROM batches WHERE client = ? AND batch_id = ?");
        _insertSample = database.Prepare(InsertSamplesSql(1));
        _insertSamples = database.Prepare(InsertSamplesSql(SamplesPerInsert));
        _insertDeadLetter = database.Prepare(
            "INSERT INTO dead_letters(source, position, client, batch_id, reason, arrived, body) VALUES (?, ?, ?, ?, ?, ?, ?)");
        _selectOrdinal = database.Prepare("SELECT next_ordinal FROM counters");
        _updateCounters = database.Prepare(
            "UPDATE counters SET stored = stored + ?, duplicates = duplicates + ?, dead_lettered = dead_lettered + ?, next_ordinal = ?");
    }

    internal int RememberedSeries => _series.Count;

    public StoreReceipt Write(StoreTransaction transaction)
    {
        // 1. Where the source stands: records before that are already accounted for.
        var position = SourcePosition(transaction.Source);
        _nextOrdinal = NextOrdinal();
        _samples.Clear();
        _stored = _duplicates = _deadLettered = 0;

        // 2. Each record becomes a batch, a duplicate or a dead letter.
        var skipped = 0;
        foreach (var record in transaction.Records)
        {
            if (record.Position >= transaction.NextPosition)
            {
                throw new InvalidOperationException(
                    $"Record {record.Position} of {transaction.Source} lies beyond the next position {transaction.NextPosition}.");
            }

            if (record.Position < position)
                skipped++;
            else
                Add(record);
        }

        // 3. Samples and totals, in the order of their keys on disk.
        InsertSamples();
        foreach (var series in _series.Touched())
            _updateTotal.Bind(1, series.Added).Bind(2, series.Id).Run();
        foreach (var client in _clients.Touched())
            _updateClient.Bind(1, client.Added).Bind(2, client.LatestUnixMs).Bind(3, client.Id).Run();

        // 4. Counters and position.
        _updateCounters.Bind(1, _stored).Bind(2, _duplicates).Bind(3, _deadLettered).Bind(4, _nextOrdinal).Run();
        if (transaction.NextPosition > position)
        {
            // A repeated write that was merged with later records names damage that may have been counted: what is left of the range
            // after its fresh records bounds what can be new.
            var missing = transaction.NextPosition - position - (transaction.Records.Count - skipped);
            _updateSource.Bind(1, transaction.NextPosition).Bind(2, Math.Min(transaction.Quarantined, missing)).Bind(3, _sourceId).Run();
        }

        return new StoreReceipt(_stored, _duplicates, _deadLettered);
    }

    public void Committed()
    {
        _series.Committed();
        _clients.Committed();
    }

    public void RolledBack()
    {
        _series.RolledBack();
        _clients.RolledBack();
    }

    /// <summary>A series whose row an expiry removed, after its commit.</summary>
    public void ForgetSeries(ReadOnlySpan<byte> key) => _series.Forget(key);

    private void Add(StoreRecord record)
    {
        if (record.Batch is not { } batch)
        {
            DeadLetter(record.Position, null, record.Bytes.Span, "The record is of a kind or version that this program does not know.");
            return;
        }

        var client = _clients.Row(batch.ClientId.Span);
        _clients.Add(client, 1, batch.ArrivedUnixMs);
        if (batch.Kind == BatchRecordKind.Resend)
        {
            _duplicates++;
            return;
        }

        if (Parse(batch) is { } problem)
        {
            DeadLetter(record.Position, batch, batch.Body.Span, problem);
            return;
        }

        _insertBatch
            .Bind(1, client.Id).BindText(2, batch.BatchId.Span).Bind(3, _sourceId).Bind(4, record.Position)
            .Bind(5, batch.ArrivedUnixMs).Bind(6, _parsed.Count).BindBlob(7, batch.Body.Span).Run();
        if (_database.Changes == 1)
        {
            _stored++;
            TakeParsed();
        }
        else if (IsStoredBody(client.Id, batch))
        {
            _duplicates++;
        }
        else
        {
            DeadLetter(record.Position, batch, batch.Body.Span, "The batch id is in use by a batch of this client with another body.");
        }
    }

    // Null when every metric could be read; else why not. No row is written before the whole body is read.
    private string? Parse(in BatchRecord batch)
    {
        _parsed.Clear();
        var reader = new BatchReader(batch.Body.Span, batch.ArrivedUnixMs);
        try
        {
            while (reader.Read())
            {
                var known = _series.Known(reader.SeriesKey);
                _parsed.Add(new ParsedMetric(known, known is null ? reader.SeriesKey.ToArray() : [], reader.TimestampUnixMs, reader.Value));
            }

            return null;
        }
        catch (Exception unreadable) when (
            unreadable is JsonException or InvalidOperationException or ArgumentException or OverflowException)
        {
            // Intake has validated the body, so this is a body of another version. It must not stop the records behind it.
            return $"The body cannot be read: {unreadable.Message}";
        }
        finally
        {
            reader.Dispose();
        }
    }

    private void TakeParsed()
    {
        foreach (var metric in _parsed)
        {
            var series = metric.Series ?? _series.Row(metric.NewKey);
            _series.Add(series, 1, 0);
            _samples.Add(new PendingSample(series.Id, metric.UnixMs, _nextOrdinal++, metric.Value));
        }
    }

    // Sorted, consecutive inserts land on the same page; unsorted, ten thousand series cost a descent of the tree each.
    private void InsertSamples()
    {
        _samples.Sort();
        var at = 0;
        for (; at + SamplesPerInsert <= _samples.Count; at += SamplesPerInsert)
        {
            for (var i = 0; i < SamplesPerInsert; i++)
                BindSample(_insertSamples, 4 * i, _samples[at + i]);
            _insertSamples.Run();
        }

        for (; at < _samples.Count; at++)
            BindSample(_insertSample, 0, _samples[at]).Run();
    }

    private static SqliteStatement BindSample(SqliteStatement insert, int before, in PendingSample sample) => insert
        .Bind(before + 1, sample.Series).Bind(before + 2, sample.UnixMs).Bind(before + 3, sample.Ordinal).Bind(before + 4, sample.Value);

    private bool IsStoredBody(long client, in BatchRecord batch)
    {
        _selectBody.Bind(1, client).BindText(2, batch.BatchId.Span);
        if (!_selectBody.Step())
            return false;
        var same = _selectBody.Blob(0).SequenceEqual(batch.Body.Span);
        _selectBody.Reset();
        return same;
    }

    private void DeadLetter(long position, BatchRecord? batch, ReadOnlySpan<byte> body, string reason)
    {
        _deadLettered++;
        _insertDeadLetter.Bind(1, _sourceId).Bind(2, position).BindText(5, reason).BindBlob(7, body);
        if (batch is { } known)
            _insertDeadLetter.BindText(3, known.ClientId.Span).BindText(4, known.BatchId.Span).Bind(6, known.ArrivedUnixMs).Run();
        else
            _insertDeadLetter.BindNull(3).BindNull(4).BindNull(6).Run();
    }

    private long SourcePosition(string source)
    {
        _insertSource.BindText(1, source).Run();
        _selectSource.BindText(1, source).Step();
        _sourceId = _selectSource.Long(0);
        var position = _selectSource.Long(1);
        _selectSource.Reset();
        return position;
    }

    private long NextOrdinal()
    {
        _selectOrdinal.Step();
        var ordinal = _selectOrdinal.Long(0);
        _selectOrdinal.Reset();
        return ordinal;
    }

    private long FindOrInsertClient(byte[] client)
    {
        if (_selectClient.BindText(1, client).Step())
        {
            var id = _selectClient.Long(0);
            _selectClient.Reset();
            return id;
        }

        _insertClient.BindText(1, client).Run();
        return _database.LastInsertedRow;
    }

    private long FindOrInsertSeries(byte[] key)
    {
        if (_selectSeries.BindBlob(1, key).Step())
        {
            var id = _selectSeries.Long(0);
            _selectSeries.Reset();
            return id;
        }

        // Type and tags are in the key; as text they are for people who open the file.
        _insertSeries
            .BindBlob(1, key).BindText(2, SeriesKey.Name(key)).BindText(3, SeriesKey.TypeName(SeriesKey.Type(key)))
            .BindText(4, TagsAsJson(key)).Run();
        var inserted = _database.LastInsertedRow;
        _insertTotal.Bind(1, inserted).Run();
        return inserted;
    }

    private static string InsertSamplesSql(int rows) =>
        $"INSERT INTO samples(series, time, ordinal, value) VALUES {string.Join(", ", Enumerable.Repeat("(?, ?, ?, ?)", rows))}";

    private static string TagsAsJson(byte[] key)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var tag in SeriesKey.Tags(key))
                json.WriteString(tag.Key, tag.Value);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private readonly record struct ParsedMetric(KeyedRow? Series, byte[] NewKey, long UnixMs, double Value);

    private readonly record struct PendingSample(long Series, long UnixMs, long Ordinal, double Value) : IComparable<PendingSample>
    {
        public int CompareTo(PendingSample other)
        {
            var bySeries = Series.CompareTo(other.Series);
            if (bySeries != 0)
                return bySeries;
            var byTime = UnixMs.CompareTo(other.UnixMs);
            return byTime != 0 ? byTime : Ordinal.CompareTo(other.Ordinal);
        }
    }
}
