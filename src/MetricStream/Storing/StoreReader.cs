namespace MetricStream.Storing;

/// <summary>One connection that reads, with its queries. One thread at a time; what one call reads is one snapshot.</summary>
internal sealed class StoreReader(Database database, StoreLimits limits) : IDisposable
{
    // A cancelled request is noticed after so many rows: well under a millisecond.
    private const int RowsPerCancellationCheck = 4096;

    private readonly SqliteStatement _position = database.Prepare("SELECT position FROM sources WHERE source = ?");
    private readonly SqliteStatement _clientId = database.Prepare("SELECT id FROM clients WHERE client = ?");
    private readonly SqliteStatement _find = database.Prepare(
        "SELECT batch_id, metrics, body FROM batches WHERE client = (SELECT id FROM clients WHERE client = ?) AND batch_id = ?");

    private readonly SqliteStatement _batchRow = database.Prepare("SELECT id FROM batches WHERE client = ? AND batch_id = ?");
    private readonly SqliteStatement _list = database.Prepare(
        "SELECT batch_id, metrics, body FROM batches INDEXED BY batches_by_client WHERE client = ? AND id > ? ORDER BY id LIMIT ?");

    // No index by position: it would cost every stored batch. The rows of one source lie in the order of its positions, so it is searched.
    private readonly SqliteStatement _sourceId = database.Prepare("SELECT id FROM sources WHERE source = ?");
    private readonly SqliteStatement _rowRange = database.Prepare("SELECT min(id), max(id) FROM batches");
    private readonly SqliteStatement _rowFrom = database.Prepare(
        "SELECT id, position FROM batches WHERE id >= ? AND id <= ? AND source = ? ORDER BY id LIMIT 1");

    private readonly SqliteStatement _rowsFrom = database.Prepare(
        "SELECT position, arrived, body FROM batches WHERE id >= ? AND source = ? AND position >= ? AND position < ? ORDER BY id LIMIT ?");

    private readonly SqliteStatement _allSeries = database.Prepare("SELECT id, key FROM series");
    private readonly SqliteStatement _namedSeries = database.Prepare("SELECT id, key FROM series WHERE name = ?");
    private readonly SqliteStatement _names = database.Prepare(
        "SELECT name, count(*) FROM series WHERE instr(lower(name), lower(?1)) > 0 OR ?1 = '' GROUP BY name ORDER BY name LIMIT ?2");

    private readonly SqliteStatement _namesMatching = database.Prepare(
        "SELECT count(DISTINCT name) FROM series WHERE instr(lower(name), lower(?1)) > 0 OR ?1 = ''");

    private readonly SqliteStatement _summary = database.Prepare("""
        SELECT (SELECT min(time) FROM samples WHERE series = ?1), (SELECT max(time) FROM samples WHERE series = ?1),
            (SELECT samples FROM series_totals WHERE series = ?1)
        """);

    private readonly SqliteStatement _samples = database.Prepare(
        "SELECT time, value FROM samples WHERE series = ? AND time >= ? AND time < ? ORDER BY time, ordinal");

    private readonly SqliteStatement _rollupState = database.Prepare(
        "SELECT closed_until, rolled_until, expired_before FROM rollup_state");

    private readonly SqliteStatement _rollups = database.Prepare(
        $"SELECT {Rollup.Columns} FROM rollups WHERE series = ? AND span = ? AND start >= ? AND start < ? ORDER BY start");

    private readonly SqliteStatement _late = database.Prepare(
        "SELECT minute FROM late WHERE series = ? AND minute >= ? AND minute < ? ORDER BY minute");

    private readonly SqliteStatement _counters = database.Prepare("""
        SELECT stored, duplicates, (SELECT coalesce(sum(quarantined), 0) FROM sources), dead_lettered, rejected, replays,
            (SELECT coalesce(sum(lost), 0) FROM sources) FROM counters
        """);

    private readonly SqliteStatement _positions = database.Prepare("SELECT source, position, owner FROM sources");
    private readonly SqliteStatement _acceptances = database.Prepare("SELECT server, count FROM acceptances");
    private readonly SqliteStatement _clients = database.Prepare(
        "SELECT client, acknowledged, rejected, last_seen FROM clients ORDER BY last_seen DESC, client LIMIT ?");

    /// <summary>SQLite refused something on this connection: it is closed instead of used again.</summary>
    public bool Failed { get; set; }

    /// <summary>Runs <paramref name="read"/> with all its statements on one snapshot.</summary>
    public T Snapshot<T>(Func<StoreReader, T> read) => database.Transact("BEGIN", () => read(this));

    public long Position(string source) => One(_position.BindText(1, source)) ?? 0;

    public StoreAccount Account()
    {
        var positions = new Dictionary<string, long>(StringComparer.Ordinal);
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        while (_positions.Step())
        {
            positions.Add(_positions.Text(0), _positions.Long(1));
            if (!_positions.IsNull(2))
                owners.Add(_positions.Text(0), _positions.Text(2));
        }

        var acceptances = new List<AcceptanceCount>();
        while (_acceptances.Step())
            acceptances.Add(new AcceptanceCount("", _acceptances.Text(0), _acceptances.Long(1)));
        return new StoreAccount(Counters(), positions) { Owners = owners, Acceptances = acceptances };
    }

    public IReadOnlyList<DeadLetter> DeadLetters(long after, int limit) => DeadLetterRows.Read(database, after, limit);

    public StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId)
    {
        if (!_find.BindText(1, clientId).BindText(2, batchId).Step())
            return null;
        var batch = Batch(_find);
        _find.Reset();
        return batch;
    }

    public IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit)
    {
        if (One(_clientId.BindText(1, clientId)) is not { } client)
            return [];
        var afterRow = after is null ? 0 : One(_batchRow.Bind(1, client).BindText(2, after));
        if (afterRow is null)
            return null;

        var batches = new List<StoredBatch>();
        var bodyBytes = 0L;
        _list.Bind(1, client).Bind(2, afterRow.Value).Bind(3, limit);
        while (bodyBytes < limits.ListedBodyBytes && _list.Step())
        {
            var batch = Batch(_list);
            bodyBytes += batch.Body.Length;
            batches.Add(batch);
        }

        _list.Reset();
        return batches;
    }

    public IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit)
    {
        var batches = new List<PlacedBatch>();
        if (One(_sourceId.BindText(1, source)) is not { } id || FirstRow(id, from) is not { } row)
            return batches;
        var bodyBytes = 0L;
        _rowsFrom.Bind(1, row).Bind(2, id).Bind(3, from).Bind(4, until).Bind(5, limit);
        while (bodyBytes < limits.ListedBodyBytes && _rowsFrom.Step())
        {
            var batch = new PlacedBatch(_rowsFrom.Long(0), _rowsFrom.Long(1), _rowsFrom.Blob(2).ToArray());
            bodyBytes += batch.Body.Length;
            batches.Add(batch);
        }

        _rowsFrom.Reset();
        return batches;
    }

    public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation)
    {
        var matching = Matching(filter, cancellation);
        var summaries = new List<SeriesSummary>(matching.Count);
        foreach (var series in matching)
        {
            cancellation.ThrowIfCancellationRequested();
            _summary.Bind(1, series.Id).Step();
            summaries.Add(new SeriesSummary(series.Name, series.Type, series.Tags, _summary.Long(0), _summary.Long(1), _summary.Long(2)));
            _summary.Reset();
        }

        return summaries;
    }

    public MetricNames Names(string? search, int limit)
    {
        var names = new List<KeyValuePair<string, long>>();
        _names.BindText(1, search ?? "").Bind(2, limit);
        while (_names.Step())
            names.Add(new(_names.Text(0), _names.Long(1)));
        return new MetricNames(One(_namesMatching.BindText(1, search ?? "")) ?? 0, names);
    }

    public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation)
    {
        var answer = new List<SeriesPoints>();
        var room = limits.QueryPoints;
        var plan = RollupPlan.Of(query, RollupState(), limits.RollupRangeMs);
        foreach (var series in Matching(query.Filter, cancellation))
        {
            var points = query.StepMs is { } step
                ? Buckets(series.Id, query, step, plan, room, cancellation)
                : Raw(series.Id, query, room, cancellation);
            room -= points.Count;
            if (points.Count > 0)
                answer.Add(new SeriesPoints(series.Name, series.Tags, points));
        }

        return answer;
    }

    public StoreCounters Counters()
    {
        _counters.Step();
        var counters = new StoreCounters(_counters.Long(0), _counters.Long(1), _counters.Long(2), _counters.Long(3), _counters.Long(4))
        {
            Replays = _counters.Long(5),
            Lost = _counters.Long(6),
        };
        _counters.Reset();
        return counters;
    }

    public IReadOnlyList<ClientCounters> Clients(int limit)
    {
        var clients = new List<ClientCounters>();
        _clients.Bind(1, limit);
        while (_clients.Step())
            clients.Add(new ClientCounters(_clients.Text(0), _clients.Long(1), _clients.Long(2), _clients.Long(3)));
        return clients;
    }

    public void Dispose() => database.Dispose();

    /// <summary>The first row of a source that stands at <paramref name="position"/> or behind it, by bisection; null when there is
    /// none.</summary>
    private long? FirstRow(long source, long position)
    {
        _rowRange.Step();
        var (low, high) = (_rowRange.Long(0), _rowRange.Long(1));
        _rowRange.Reset();
        long? found = null;
        while (low <= high)
        {
            var middle = low + ((high - low) / 2);
            if (!_rowFrom.Bind(1, middle).Bind(2, high).Bind(3, source).Step())
            {
                high = middle - 1; // Nothing of this source from the middle on.
            }
            else if (_rowFrom.Long(1) >= position)
            {
                found = _rowFrom.Long(0);
                high = middle - 1;
            }
            else
            {
                low = _rowFrom.Long(0) + 1;
            }

            _rowFrom.Reset();
        }

        return found;
    }

    private List<SamplePoint> Raw(long series, SampleQuery query, int room, CancellationToken cancellation)
    {
        var points = new List<SamplePoint>();
        EachSample(series, query.From, query.To, (time, value) =>
        {
            if (points.Count == room)
                throw MatchingSeries.TooManyPoints(query, limits);
            points.Add(new SamplePoint(time, value));
        }, cancellation);
        return points;
    }

    private List<SamplePoint> Buckets(
        long series, SampleQuery query, long stepMs, RollupPlan? plan, int room, CancellationToken cancellation)
    {
        var buckets = new BucketFold(stepMs, query.Aggregation);
        foreach (var (kept, from, to) in RollupPlan.Pieces(query, plan, plan is { } rolled ? Late(series, rolled) : []))
        {
            if (kept is { } rollups)
                EachRow(_rollups.Bind(1, series).Bind(2, rollups.Span).Bind(3, from).Bind(4, to), Take, cancellation);
            else
                EachSample(series, from, to, TakeSample, cancellation);

            void Take(SqliteStatement row)
            {
                buckets.Add(SqliteRollups.Read(row), rollups.Span);
                Check();
            }
        }

        buckets.End();
        Check();
        return buckets.Points;

        void TakeSample(long time, double value)
        {
            buckets.Add(time, value);
            Check();
        }

        void Check()
        {
            if (buckets.Points.Count > room)
                throw MatchingSeries.TooManyPoints(query, limits);
        }
    }

    private RollupState RollupState()
    {
        _rollupState.Step();
        var state = new RollupState(_rollupState.Long(0), _rollupState.Long(1), _rollupState.Long(2));
        _rollupState.Reset();
        return state;
    }

    private List<long> Late(long series, in RollupPlan plan)
    {
        var minutes = new List<long>();
        _late.Bind(1, series).Bind(2, plan.From).Bind(3, plan.To);
        while (_late.Step())
            minutes.Add(_late.Long(0));
        return minutes;
    }

    private void EachSample(long series, long from, long to, Action<long, double> take, CancellationToken cancellation) =>
        EachRow(_samples.Bind(1, series).Bind(2, from).Bind(3, to), row => take(row.Long(0), row.Double(1)), cancellation);

    private static void EachRow(SqliteStatement statement, Action<SqliteStatement> take, CancellationToken cancellation)
    {
        try
        {
            for (var row = 0; statement.Step(); row++)
            {
                if (row % RowsPerCancellationCheck == 0)
                    cancellation.ThrowIfCancellationRequested();
                take(statement);
            }
        }
        finally
        {
            statement.Reset();
        }
    }

    private List<MatchingSeries> Matching(SeriesFilter filter, CancellationToken cancellation)
    {
        var matching = new List<MatchingSeries>();
        var statement = filter.Name is null ? _allSeries : _namedSeries.BindText(1, filter.Name);
        try
        {
            for (var row = 0; statement.Step(); row++)
            {
                if (row % RowsPerCancellationCheck == 0)
                    cancellation.ThrowIfCancellationRequested();
                if (MatchingSeries.Of(statement.Long(0), statement.Blob(1), filter) is not { } series)
                    continue;
                if (matching.Count == limits.QuerySeries)
                    throw MatchingSeries.TooMany(limits);
                matching.Add(series);
            }
        }
        finally
        {
            statement.Reset();
        }

        matching.Sort(MatchingSeries.ByNameThenTags);
        return matching;
    }

    private static StoredBatch Batch(SqliteStatement row) => new(row.Text(0), (int)row.Long(1), row.Blob(2).ToArray());

    private static long? One(SqliteStatement statement)
    {
        if (!statement.Step())
            return null;
        var value = statement.Long(0);
        statement.Reset();
        return value;
    }
}
