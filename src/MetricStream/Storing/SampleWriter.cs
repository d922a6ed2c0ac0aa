using System.Text;
using System.Text.Json;
using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>
/// The samples of one transaction, with the series they belong to. Writer only, inside a transaction that its owner opened.
/// The owner tells it afterwards whether that was committed or rolled back.
/// </summary>
internal sealed class SampleWriter
{
    // Rows of one multi-row insert: opening the table's cursor and ending the statement are paid once for all of them.
    private const int SamplesPerInsert = 16;

    private readonly Database _database;
    private readonly KeyedRows _series;

    // One transaction.
    private readonly List<PendingSample> _samples = [];
    private readonly List<ParsedMetric> _parsed = [];
    private long _closedUntil;

    private readonly SqliteStatement _selectSeries;
    private readonly SqliteStatement _insertSeries;
    private readonly SqliteStatement _insertTotal;
    private readonly SqliteStatement _updateTotal;
    private readonly SqliteStatement _insertSample;
    private readonly SqliteStatement _insertSamples;
    private readonly SqliteStatement _selectOrdinal;
    private readonly SqliteStatement _markLate;

    public SampleWriter(Database database, int rememberedRows)
    {
        _database = database;
        _series = new KeyedRows(FindOrInsertSeries, rememberedRows);
        _selectSeries = database.Prepare("SELECT id FROM series WHERE key = ?");
        _insertSeries = database.Prepare("INSERT INTO series(key, name, type, tags) VALUES (?, ?, ?, ?)");
        _insertTotal = database.Prepare("INSERT INTO series_totals(series, samples) VALUES (?, 0)");
        _updateTotal = database.Prepare("UPDATE series_totals SET samples = samples + ? WHERE series = ?");
        _insertSample = database.Prepare(InsertSamplesSql(1));
        _insertSamples = database.Prepare(InsertSamplesSql(SamplesPerInsert));
        _selectOrdinal = database.Prepare("SELECT next_ordinal, (SELECT closed_until FROM rollup_state) FROM counters");
        _markLate = database.Prepare("INSERT OR IGNORE INTO late(series, minute) VALUES (?, ?)");
    }

    public int RememberedSeries => _series.Count;

    /// <summary>Metrics of the body read last.</summary>
    public int Parsed => _parsed.Count;

    /// <summary>The number of the next sample over all.</summary>
    public long NextOrdinal { get; private set; }

    public void Begin()
    {
        _samples.Clear();
        _selectOrdinal.Step();
        NextOrdinal = _selectOrdinal.Long(0);
        _closedUntil = _selectOrdinal.Long(1);
        _selectOrdinal.Reset();
    }

    // Null when every metric could be read; else why not. No row is written before the whole body is read.
    public string? Parse(in BatchRecord batch)
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

    /// <summary>The metrics read last become samples.</summary>
    public void TakeParsed()
    {
        foreach (var metric in _parsed)
        {
            var series = metric.Series ?? _series.Row(metric.NewKey);
            _series.Add(series, 1, 0);
            _samples.Add(new PendingSample(series.Id, metric.UnixMs, NextOrdinal++, metric.Value));
        }
    }

    /// <summary>Samples and totals, in the order of their keys on disk: sorted, consecutive inserts land on the same page; unsorted, ten
    /// thousand series cost a descent of the tree each.</summary>
    public void Write()
    {
        InsertSamples();
        foreach (var series in _series.Touched())
            _updateTotal.Bind(1, series.Added).Bind(2, series.Id).Run();
        MarkLate();
    }

    /// <summary>Samples of times that were rolled up already: their minutes are rolled up anew.</summary>
    private void MarkLate()
    {
        var (series, minute) = (0L, 0L);
        foreach (var sample in _samples)
        {
            if (sample.UnixMs >= _closedUntil || (sample.Series == series && Rollup.Floor(sample.UnixMs, Rollup.Minute) == minute))
                continue;
            (series, minute) = (sample.Series, Rollup.Floor(sample.UnixMs, Rollup.Minute));
            _markLate.Bind(1, series).Bind(2, minute).Run();
        }
    }

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

    public void Committed() => _series.Committed();

    public void RolledBack() => _series.RolledBack();

    /// <summary>A series whose row an expiry removed, after its commit.</summary>
    public void Forget(ReadOnlySpan<byte> key) => _series.Forget(key);

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
