namespace MetricStream.Storing;

/// <summary>The roll-ups in the store's file: see <see cref="RollupRound"/>. Writer only, inside a transaction that its owner
/// opened.</summary>
internal sealed class SqliteRollups(Database database) : IRollupTables
{
    private readonly SqliteStatement _progress = database.Prepare(
        "SELECT closed_until, rolled_until, expired_before, walking, walk_series, walk_time FROM rollup_state");

    private readonly SqliteStatement _save = database.Prepare(
        "UPDATE rollup_state SET closed_until = ?, rolled_until = ?, walking = ?, walk_series = ?, walk_time = ?");

    private readonly SqliteStatement _nextSeries = database.Prepare("SELECT id FROM series WHERE id > ? ORDER BY id LIMIT 1");
    private readonly SqliteStatement _samples = database.Prepare(
        "SELECT time, value FROM samples WHERE series = ? AND time >= ? AND time < ? ORDER BY time, ordinal");

    private readonly SqliteStatement _kept = database.Prepare(
        $"SELECT {Rollup.Columns} FROM rollups WHERE series = ? AND span = ? AND start >= ? AND start < ? ORDER BY start");

    private readonly SqliteStatement _keep = database.Prepare(
        $"INSERT OR REPLACE INTO rollups(series, span, {Rollup.Columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    private readonly SqliteStatement _remove = database.Prepare("DELETE FROM rollups WHERE series = ? AND span = ? AND start = ?");
    private readonly SqliteStatement _marked = database.Prepare("SELECT series, minute FROM late ORDER BY series, minute LIMIT ?");
    private readonly SqliteStatement _unmark = database.Prepare("DELETE FROM late WHERE series = ? AND minute = ?");

    /// <summary>A row of <see cref="Rollup.Columns"/>.</summary>
    public static Rollup Read(SqliteStatement row) => new()
    {
        Start = row.Long(0),
        Count = row.Long(1),
        Min = row.Double(2),
        Max = row.Double(3),
        Sum = row.Double(4),
        FirstTime = row.Long(5),
        First = row.Double(6),
        LastTime = row.Long(7),
        Last = row.Double(8),
        Increase = row.Double(9),
    };

    public RollupProgress Progress()
    {
        _progress.Step();
        var progress = new RollupProgress(
            new RollupState(_progress.Long(0), _progress.Long(1), _progress.Long(2)),
            _progress.Long(3) != 0, _progress.Long(4), _progress.Long(5));
        _progress.Reset();
        return progress;
    }

    public void Save(in RollupProgress progress) => _save
        .Bind(1, progress.State.ClosedUntil).Bind(2, progress.State.RolledUntil).Bind(3, progress.IsWalking ? 1L : 0L)
        .Bind(4, progress.Series).Bind(5, progress.Time).Run();

    public long? NextSeries(long after)
    {
        if (!_nextSeries.Bind(1, after).Step())
            return null;
        var series = _nextSeries.Long(0);
        _nextSeries.Reset();
        return series;
    }

    public void Samples(long series, long from, long to, Func<long, double, bool> take)
    {
        _samples.Bind(1, series).Bind(2, from).Bind(3, to);
        try
        {
            while (_samples.Step() && take(_samples.Long(0), _samples.Double(1)))
            {
            }
        }
        finally
        {
            _samples.Reset();
        }
    }

    public List<Rollup> Kept(long series, long span, long from, long to)
    {
        var kept = new List<Rollup>();
        _kept.Bind(1, series).Bind(2, span).Bind(3, from).Bind(4, to);
        while (_kept.Step())
            kept.Add(Read(_kept));
        return kept;
    }

    public void Keep(long series, long span, in Rollup rollup)
    {
        if (rollup.Count == 0)
        {
            _remove.Bind(1, series).Bind(2, span).Bind(3, rollup.Start).Run();
            return;
        }

        _keep.Bind(1, series).Bind(2, span).Bind(3, rollup.Start).Bind(4, rollup.Count).Bind(5, rollup.Min).Bind(6, rollup.Max)
            .Bind(7, rollup.Sum).Bind(8, rollup.FirstTime).Bind(9, rollup.First).Bind(10, rollup.LastTime).Bind(11, rollup.Last)
            .Bind(12, rollup.Increase).Run();
    }

    public List<(long Series, long Minute)> Marked(int limit)
    {
        var marked = new List<(long, long)>();
        _marked.Bind(1, limit);
        while (_marked.Step())
            marked.Add((_marked.Long(0), _marked.Long(1)));
        return marked;
    }

    public void Unmark(long series, long minute) => _unmark.Bind(1, series).Bind(2, minute).Run();
}
