namespace MetricStream.Storing;

/// <summary>
/// Removes what is too old, step by step: batches by their arrival, samples by walking the series in the order of their ids.
/// The roll-ups of a series go with its samples, that of the bucket which is cut in two included; a series without samples goes itself.
/// Writer only, inside a transaction that its owner opened.
/// </summary>
internal sealed class Expiry(Database database)
{
    private readonly SqliteStatement _deleteBatches = database.Prepare(
        "DELETE FROM batches WHERE id IN " +
        "(SELECT id FROM batches INDEXED BY batches_by_arrival WHERE arrived < ? ORDER BY arrived LIMIT ?)");

    private readonly SqliteStatement _deleteSettled = database.Prepare(
        "DELETE FROM settled WHERE record_id IN "
        + "(SELECT record_id FROM settled WHERE outcome = 1 AND arrived < ? ORDER BY arrived LIMIT ?)");

    private readonly SqliteStatement _nextSeries = database.Prepare("SELECT id, key FROM series WHERE id > ? ORDER BY id LIMIT 1");
    private readonly SqliteStatement _first = database.Prepare("SELECT min(time) FROM samples WHERE series = ?");

    private readonly SqliteStatement _deleteSamples = database.Prepare("""
        DELETE FROM samples WHERE (series, time, ordinal) IN
            (SELECT series, time, ordinal FROM samples WHERE series = ? AND time < ? ORDER BY time, ordinal LIMIT ?)
        """);

    private readonly SqliteStatement _expiredBefore = database.Prepare(
        "UPDATE rollup_state SET expired_before = ?1 WHERE expired_before < ?1");

    private readonly SqliteStatement _deleteRollups = database.Prepare("""
        DELETE FROM rollups WHERE (series, span, start) IN
            (SELECT series, span, start FROM rollups WHERE series = ? AND span = ? AND start < ? ORDER BY start LIMIT ?)
        """);

    private readonly SqliteStatement _updateTotal = database.Prepare("UPDATE series_totals SET samples = samples - ? WHERE series = ?");
    private readonly SqliteStatement _deleteTotal = database.Prepare("DELETE FROM series_totals WHERE series = ?");
    private readonly SqliteStatement _deleteSeries = database.Prepare("DELETE FROM series WHERE id = ?");

    // The series that the round has done with. Taken over by the owner after the commit, as are the keys removed.
    private long _done;
    private long _doneAfterStep;

    public List<byte[]> RemovedKeys { get; } = [];

    public ExpiryStep Step(long samplesBefore, long batchesBefore, int limit)
    {
        RemovedKeys.Clear();
        _doneAfterStep = _done;
        // From here on queries take nothing before it from roll-ups.
        _expiredBefore.Bind(1, samplesBefore).Run();
        _deleteBatches.Bind(1, batchesBefore).Bind(2, limit).Run();
        var batches = database.Changes;
        _deleteSettled.Bind(1, batchesBefore).Bind(2, limit).Run();

        var samples = 0;
        var visited = 0;
        var more = true;
        while (samples < limit && visited < limit)
        {
            visited++;
            if (!_nextSeries.Bind(1, _doneAfterStep).Step())
            {
                _doneAfterStep = 0;
                more = false;
                break;
            }

            var series = _nextSeries.Long(0);
            var key = _nextSeries.Blob(1).ToArray();
            _nextSeries.Reset();
            samples += ExpireSeries(series, key, samplesBefore, limit - samples);
        }

        return new ExpiryStep(batches + samples, more || batches == limit);
    }

    public void Committed() => _done = _doneAfterStep;

    private int ExpireSeries(long series, byte[] key, long before, int limit)
    {
        var removed = 0;
        if (First(series) < before)
        {
            _deleteSamples.Bind(1, series).Bind(2, before).Bind(3, limit).Run();
            removed = database.Changes;
            _updateTotal.Bind(1, removed).Bind(2, series).Run();
        }

        foreach (var span in (ReadOnlySpan<long>)[Rollup.Minute, Rollup.Hour])
        {
            if (removed == limit)
                return removed;
            _deleteRollups.Bind(1, series).Bind(2, span).Bind(3, before).Bind(4, limit - removed).Run();
            removed += database.Changes;
        }

        // With the limit used up something old may be left: the next step comes back to this series.
        if (removed == limit)
            return removed;
        if (First(series) is null)
        {
            _deleteTotal.Bind(1, series).Run();
            _deleteSeries.Bind(1, series).Run();
            RemovedKeys.Add(key);
        }

        _doneAfterStep = series;
        return removed;
    }

    private long? First(long series)
    {
        _first.Bind(1, series).Step();
        long? first = _first.IsNull(0) ? null : _first.Long(0);
        _first.Reset();
        return first;
    }
}
