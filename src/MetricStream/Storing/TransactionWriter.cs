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

    private readonly Database _database;
    private readonly SampleWriter _samples;
    private readonly KeyedRows _clients;

    // One transaction.
    private long _sourceId;
    private int _stored;
    private int _duplicates;
    private int _deadLettered;
    private int _replays;
    private bool _isRefusedAgain;
    private IReadOnlySet<long>? _lettersKept;
    private readonly List<DueLetter> _lettersDue = [];

    private readonly AcceptanceBook _acceptances;
    private readonly SqliteStatement _insertSource;
    private readonly SqliteStatement _selectSource;
    private readonly SqliteStatement _updateSource;
    private readonly SqliteStatement _selectClient;
    private readonly SqliteStatement _insertClient;
    private readonly SqliteStatement _updateClient;
    private readonly SqliteStatement _insertBatch;
    private readonly SqliteStatement _selectBody;
    private readonly SqliteStatement _insertDeadLetter;
    private readonly SqliteStatement _deleteDeadLetter;
    private readonly SqliteStatement _updateCounters;

    public TransactionWriter(Database database, int rememberedRows = RememberedRows)
    {
        _database = database;
        _samples = new SampleWriter(database, rememberedRows);
        _clients = new KeyedRows(FindOrInsertClient, rememberedRows);
        _acceptances = new AcceptanceBook(database);
        _insertSource = database.Prepare("INSERT OR IGNORE INTO sources(source, position, quarantined) VALUES (?, 0, 0)");
        _selectSource = database.Prepare("SELECT id, position, fence, born, coalesce(owner, '') FROM sources WHERE source = ?");
        _updateSource = database.Prepare(
            "UPDATE sources SET position = ?, quarantined = quarantined + ?, lost = lost + ? WHERE id = ?");
        _selectClient = database.Prepare("SELECT id FROM clients WHERE client = ?");
        _insertClient = database.Prepare("INSERT INTO clients(client, acknowledged, rejected, last_seen) VALUES (?, 0, 0, 0)");
        _updateClient = database.Prepare(
            "UPDATE clients SET acknowledged = acknowledged + ?, last_seen = max(last_seen, ?) WHERE id = ?");
        _insertBatch = database.Prepare(
            "INSERT OR IGNORE INTO batches(client, batch_id, source, position, arrived, metrics, body, record_id) "
            + "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        _selectBody = database.Prepare("SELECT body, record_id FROM batches WHERE client = ? AND batch_id = ?");
        _insertDeadLetter = database.Prepare(
            "INSERT INTO dead_letters(source, position, client, batch_id, reason, arrived, body) VALUES (?, ?, ?, ?, ?, ?, ?)");
        _deleteDeadLetter = database.Prepare("DELETE FROM dead_letters WHERE id = ?");
        _updateCounters = database.Prepare(
            "UPDATE counters SET stored = stored + ?, duplicates = duplicates + ?, dead_lettered = dead_lettered + ?, next_ordinal = ?, "
            + "replays = replays + ?");
    }

    internal int RememberedSeries => _samples.RememberedSeries;

    public StoreReceipt Write(StoreTransaction transaction)
    {
        // 1. Where the source stands: records before that are already accounted for. With a fence nobody else may have taken it over.
        var position = SourcePosition(transaction);
        Begin(transaction.Fence is null ? null : transaction.LettersKept);

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
                Add(record, record.Id.IsEmpty ? Settlement.None : _acceptances.Find(record.Id.Span));
        }

        if (_lettersDue.Count > 0)
            throw new LettersDueException([.. _lettersDue]);

        // 3. Samples and totals, counters, then the position.
        WriteSums();
        if (transaction.NextPosition > position)
        {
            // A repeated write that was merged with later records names damage that may have been counted: what is left of the range
            // after its fresh records bounds what can be new.
            var missing = transaction.NextPosition - position - (transaction.Records.Count - skipped);
            _updateSource.Bind(1, transaction.NextPosition).Bind(2, Math.Min(transaction.Quarantined, missing))
                .Bind(3, Math.Min(transaction.Lost, missing)).Bind(4, _sourceId).Run();
        }

        return new StoreReceipt(_stored, _duplicates, _deadLettered);
    }

    /// <summary>Tries dead letters of this store again. Those that are stored or duplicates now are none any more.</summary>
    /// <returns>The letters that are refused again.</returns>
    public IReadOnlyList<DeadLetter> Retry(IReadOnlyList<DeadLetter> letters)
    {
        Begin(lettersKept: null);
        var refused = new List<DeadLetter>();
        foreach (var letter in letters)
        {
            _sourceId = letter.SourceId;
            _isRefusedAgain = false;
            Add(letter.Record, Settlement.DeadLetter);
            if (_isRefusedAgain)
                refused.Add(letter);
            else
                _deleteDeadLetter.Bind(1, letter.Id).Run();
        }

        WriteSums();
        return refused;
    }

    public void Committed()
    {
        _samples.Committed();
        _clients.Committed();
        _acceptances.Ended();
    }

    public void RolledBack()
    {
        _samples.RolledBack();
        _clients.RolledBack();
        _acceptances.Ended();
    }

    /// <summary>A series whose row an expiry removed, after its commit.</summary>
    public void ForgetSeries(ReadOnlySpan<byte> key) => _samples.Forget(key);

    private void Begin(IReadOnlySet<long>? lettersKept)
    {
        _samples.Begin();
        _stored = _duplicates = _deadLettered = _replays = 0;
        _lettersKept = lettersKept;
        _lettersDue.Clear();
    }

    // Samples in the order of their keys on disk.
    private void WriteSums()
    {
        _samples.Write();
        foreach (var client in _clients.Touched())
            _updateClient.Bind(1, client.Added).Bind(2, client.LatestUnixMs).Bind(3, client.Id).Run();
        _acceptances.Write();
        _updateCounters.Bind(1, _stored).Bind(2, _duplicates).Bind(3, _deadLettered).Bind(4, _samples.NextOrdinal).Bind(5, _replays).Run();
    }

    private void Add(StoreRecord record, Settlement before)
    {
        // 1. What came before under its id: a replay is over here, a dead letter that was sent back has another try.
        if (before == Settlement.Duplicate)
        {
            _replays++;
            return;
        }

        if (record.Refusal is { } refusal)
        {
            DeadLetter(record, before, refusal);
            return;
        }

        if (record.Batch is not { } batch)
        {
            DeadLetter(record, before, "The record is of a kind or version that this program does not know.");
            return;
        }

        if (batch.Kind == BatchRecordKind.Resend)
        {
            Count(record, before);
            _duplicates++;
            return;
        }

        if (_samples.Parse(batch) is { } problem)
        {
            DeadLetter(record, before, problem);
            return;
        }

        // 2. The unique key decides.
        var client = _clients.Row(batch.ClientId.Span);
        _insertBatch
            .Bind(1, client.Id).BindText(2, batch.BatchId.Span).Bind(3, _sourceId).Bind(4, record.Position)
            .Bind(5, batch.ArrivedUnixMs).Bind(6, _samples.Parsed).BindBlob(7, batch.Body.Span);
        if (record.Id.IsEmpty)
            _insertBatch.BindNull(8).Run();
        else
            _insertBatch.BindBlob(8, record.Id.Span).Run();
        if (_database.Changes == 1)
        {
            Count(record, before);
            _stored++;
            _samples.TakeParsed();
            return;
        }

        // 3. It is there: under the same id a replay, with the same body a re-send.
        switch (Compare(client.Id, record, batch))
        {
            case Known.Replay:
                _replays++;
                break;
            case Known.Resend:
                Count(record, before);
                _duplicates++;
                if (!record.Id.IsEmpty)
                    _acceptances.Settle(record.Id.Span, batch.ArrivedUnixMs, Settlement.Duplicate);
                break;
            default:
                DeadLetter(record, before, "The batch id is in use by a batch of this client with another body.");
                break;
        }
    }

    /// <summary>An acceptance whose fate is decided now; one that was a dead letter is none any more, and was counted then.</summary>
    private void Count(in StoreRecord record, Settlement before)
    {
        if (before == Settlement.DeadLetter)
        {
            _deadLettered--;
            if (!record.Id.IsEmpty)
                _acceptances.Forget(record.Id.Span);
            return;
        }

        if (!record.Id.IsEmpty)
            _acceptances.Count(record.Id.Span, record.Position);
        if (record.Batch is { } batch)
            _clients.Add(_clients.Row(batch.ClientId.Span), 1, batch.ArrivedUnixMs);
    }

    private Known Compare(long client, in StoreRecord record, in BatchRecord batch)
    {
        _selectBody.Bind(1, client).BindText(2, batch.BatchId.Span);
        if (!_selectBody.Step())
            return Known.Other;
        var known = !record.Id.IsEmpty && _selectBody.Blob(1).SequenceEqual(record.Id.Span) ? Known.Replay
            : _selectBody.Blob(0).SequenceEqual(batch.Body.Span) ? Known.Resend : Known.Other;
        _selectBody.Reset();
        return known;
    }

    private void DeadLetter(in StoreRecord record, Settlement before, string reason)
    {
        if (_lettersKept is not null)
        {
            KeepElsewhere(record, before, reason);
            return;
        }

        if (before == Settlement.DeadLetter)
        {
            _isRefusedAgain = true;
            return;
        }

        _deadLettered++;
        _insertDeadLetter.Bind(1, _sourceId).Bind(2, record.Position).BindText(5, reason);
        if (record.Batch is { } known)
        {
            _clients.Add(_clients.Row(known.ClientId.Span), 1, known.ArrivedUnixMs);
            _insertDeadLetter.BindText(3, known.ClientId.Span).BindText(4, known.BatchId.Span).Bind(6, known.ArrivedUnixMs)
                .BindBlob(7, known.Body.Span).Run();
        }
        else
        {
            _insertDeadLetter.BindNull(3).BindNull(4).BindNull(6).BindBlob(7, record.Bytes.Span).Run();
        }
    }

    /// <summary>The letter lies in a log beside the source's. One that came back and was refused again lies there again, and was
    /// counted.</summary>
    private void KeepElsewhere(in StoreRecord record, Settlement before, string reason)
    {
        if (!_lettersKept!.Contains(record.Position))
        {
            _lettersDue.Add(new DueLetter(record, reason));
            return;
        }

        if (before == Settlement.DeadLetter)
            return;
        Count(record, before);
        _deadLettered++;
        _acceptances.Settle(record.Id.Span, record.Batch?.ArrivedUnixMs ?? 0, Settlement.DeadLetter);
    }

    private long SourcePosition(StoreTransaction transaction)
    {
        _insertSource.BindText(1, transaction.Source).Run();
        _selectSource.BindText(1, transaction.Source).Step();
        _sourceId = _selectSource.Long(0);
        var (position, fence) = (_selectSource.Long(1), _selectSource.Long(2));
        _acceptances.Begin(_selectSource.Long(3), _selectSource.Blob(4));
        _selectSource.Reset();
        if (transaction.Fence is { } ours)
            StoreFence.ThrowIfPassed(transaction, ours, fence, position);
        return position;
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

    /// <summary>How a record stands to the batch that has its id.</summary>
    private enum Known { Other, Resend, Replay }
}
