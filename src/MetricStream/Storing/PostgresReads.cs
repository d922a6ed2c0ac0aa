using System.Data;
using System.Text;
using Npgsql;

namespace MetricStream.Storing;

/// <summary>What is asked of the store in PostgreSQL. Any thread; what one call reads of samples is one snapshot.</summary>
internal sealed class PostgresReads(PostgresSession session, StoreLimits limits, string server)
{
    // Intake waits for this one, and does without after it.
    private const int SecondsToFind = 1;

    // Bounds of time in every part: PostgreSQL looks into the days between them alone.
    internal const string SamplesOfOne =
        "SELECT time, value FROM samples_by_day WHERE series = $1 AND time >= $2 AND time < $3 ORDER BY time, ordinal";

    public StoredBatch? Find(byte[] clientId, byte[] batchId) => session.UseReady(connection =>
    {
        using var command = connection.Command(
            "SELECT b.batch_id, b.metrics, b.body FROM batches b JOIN clients c ON c.id = b.client WHERE c.client = $1 AND b.batch_id = $2",
            Encoding.ASCII.GetString(clientId), Encoding.ASCII.GetString(batchId));
        command.CommandTimeout = SecondsToFind;
        using var row = command.ExecuteReader();
        return row.Read() ? Batch(row) : null;
    });

    public IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit) => session.Use(connection =>
    {
        if (Id(connection, "SELECT id FROM clients WHERE client = $1", clientId) is not { } client)
            return [];
        var afterRow = after is null ? 0 : Id(connection, "SELECT id FROM batches WHERE client = $1 AND batch_id = $2", client, after);
        if (afterRow is null)
            return null;
        var (batches, bytes) = (new List<StoredBatch>(), 0L);
        using var command = connection.Command(
            "SELECT batch_id, metrics, body FROM batches WHERE client = $1 AND id > $2 ORDER BY id LIMIT $3",
            client, afterRow.Value, limit);
        using var rows = command.ExecuteReader(CommandBehavior.SequentialAccess);
        while (bytes < limits.ListedBodyBytes && rows.Read())
        {
            batches.Add(Batch(rows));
            bytes += batches[^1].Body.Length;
        }

        return (IReadOnlyList<StoredBatch>?)batches;
    });

    public IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit) => session.Use(connection =>
    {
        var (batches, bytes) = (new List<PlacedBatch>(), 0L);
        using var command = connection.Command("""
            SELECT position, arrived, body FROM batches
            WHERE source = (SELECT id FROM sources WHERE source = $1) AND position >= $2 AND position < $3 ORDER BY position LIMIT $4
            """, source, from, until, limit);
        using var rows = command.ExecuteReader(CommandBehavior.SequentialAccess);
        while (bytes < limits.ListedBodyBytes && rows.Read())
        {
            batches.Add(new PlacedBatch(rows.GetInt64(0), rows.GetInt64(1), rows.GetFieldValue<byte[]>(2)));
            bytes += batches[^1].Body.Length;
        }

        return batches;
    });

    public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation) => Snapshot(connection =>
    {
        var matching = Matching(connection, filter, cancellation);
        var totals = new Dictionary<long, (long First, long Last, long Samples)>();
        using (var command = connection.Command(
            "SELECT series, min(time), max(time), count(*) FROM samples_by_day WHERE series = ANY($1) GROUP BY series",
            matching.Select(series => series.Id).ToArray()))
        {
            using var rows = command.ExecuteReader();
            while (rows.Read())
                totals.Add(rows.GetInt64(0), (rows.GetInt64(1), rows.GetInt64(2), rows.GetInt64(3)));
        }

        // A series whose samples are gone keeps its number and is not shown.
        return matching.Where(series => totals.ContainsKey(series.Id))
            .Select(series => (Series: series, Total: totals[series.Id]))
            .Select(s => new SeriesSummary(s.Series.Name, s.Series.Type, s.Series.Tags, s.Total.First, s.Total.Last, s.Total.Samples))
            .ToList();
    });

    public MetricNames Names(string? search, int limit) => session.Use(connection =>
    {
        const string Matches = "FROM series WHERE position(lower($1) in lower(name)) > 0 OR $1 = ''";
        var names = new List<KeyValuePair<string, long>>();
        using (var command = connection.Command(
            $"SELECT name, count(*) {Matches} GROUP BY name ORDER BY name LIMIT $2", search ?? "", limit))
        {
            using var rows = command.ExecuteReader();
            while (rows.Read())
                names.Add(new(rows.GetString(0), rows.GetInt64(1)));
        }

        return new MetricNames(connection.Number($"SELECT count(DISTINCT name) {Matches}", search ?? ""), names);
    });

    public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation) => Snapshot(connection =>
    {
        var answer = new List<SeriesPoints>();
        var room = limits.QueryPoints;
        var plan = query.StepMs is null ? null : RollupPlan.Of(query, PostgresRollups.State(connection), limits.RollupRangeMs);
        foreach (var series in Matching(connection, query.Filter, cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            var points = query.StepMs is { } step
                ? Buckets(connection, series.Id, query, (step, plan), room) : Raw(connection, series.Id, query, room);
            room -= points.Count;
            if (points.Count > 0)
                answer.Add(new SeriesPoints(series.Name, series.Tags, points));
        }

        return answer;
    });

    public StoreAccount Account() => Snapshot(connection =>
    {
        var positions = new Dictionary<string, long>(StringComparer.Ordinal);
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        using (var command = connection.Command("SELECT source, position, owner FROM sources"))
        {
            using var rows = command.ExecuteReader();
            while (rows.Read())
            {
                positions.Add(rows.GetString(0), rows.GetInt64(1));
                if (!rows.IsDBNull(2))
                    owners.Add(rows.GetString(0), rows.GetString(2));
            }
        }

        var acceptances = new List<AcceptanceCount>();
        using (var command = connection.Command("SELECT stored_by, server, count FROM acceptances"))
        {
            using var rows = command.ExecuteReader();
            while (rows.Read())
                acceptances.Add(new AcceptanceCount(rows.GetString(0), rows.GetString(1), rows.GetInt64(2)));
        }

        return new StoreAccount(Counters(connection), positions) { Owners = owners, Acceptances = acceptances };
    });

    /// <summary>What this server stored; damage and loss of the sources that it owns, or that nobody claims.</summary>
    public StoreCounters Counters(NpgsqlConnection connection)
    {
        using var command = connection.Command("""
            SELECT coalesce(max(stored), 0), coalesce(max(duplicates), 0), coalesce(max(dead_lettered), 0), coalesce(max(rejected), 0),
                coalesce(max(replays), 0),
                (SELECT coalesce(sum(quarantined), 0)::bigint FROM sources WHERE owner = $1 OR owner IS NULL),
                (SELECT coalesce(sum(lost), 0)::bigint FROM sources WHERE owner = $1 OR owner IS NULL)
            FROM counters WHERE stored_by = $1
            """, server);
        using var row = command.ExecuteReader();
        row.Read();
        return new StoreCounters(row.GetInt64(0), row.GetInt64(1), row.GetInt64(5), row.GetInt64(2), row.GetInt64(3))
        {
            Replays = row.GetInt64(4),
            Lost = row.GetInt64(6),
        };
    }

    public IReadOnlyList<ClientCounters> Clients(int limit) => session.Use(connection =>
    {
        var clients = new List<ClientCounters>();
        using var command = connection.Command(
            "SELECT client, acknowledged, rejected, last_seen FROM clients ORDER BY last_seen DESC, client LIMIT $1", limit);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            clients.Add(new ClientCounters(rows.GetString(0), rows.GetInt64(1), rows.GetInt64(2), rows.GetInt64(3)));
        return clients;
    });

    private T Snapshot<T>(Func<NpgsqlConnection, T> read) => session.Use(connection =>
    {
        using var transaction = connection.BeginTransaction(IsolationLevel.RepeatableRead);
        PostgresDays.HoldRest(connection);
        var answer = read(connection);
        transaction.Commit();
        return answer;
    });

    private List<MatchingSeries> Matching(NpgsqlConnection connection, SeriesFilter filter, CancellationToken cancellation)
    {
        var matching = new List<MatchingSeries>();
        using var command = filter.Name is null
            ? connection.Command("SELECT id, key FROM series")
            : connection.Command("SELECT id, key FROM series WHERE name = $1", filter.Name);
        using (var rows = command.ExecuteReader())
        {
            while (rows.Read())
            {
                cancellation.ThrowIfCancellationRequested();
                if (MatchingSeries.Of(rows.GetInt64(0), rows.GetFieldValue<byte[]>(1), filter) is not { } series)
                    continue;
                if (matching.Count == limits.QuerySeries)
                    throw MatchingSeries.TooMany(limits);
                matching.Add(series);
            }
        }

        matching.Sort(MatchingSeries.ByNameThenTags);
        return matching;
    }

    private List<SamplePoint> Raw(NpgsqlConnection connection, long series, SampleQuery query, int room)
    {
        var points = new List<SamplePoint>();
        EachSample(connection, series, query.From, query.To, (time, value) =>
        {
            if (points.Count == room)
                throw MatchingSeries.TooManyPoints(query, limits);
            points.Add(new SamplePoint(time, value));
        });
        return points;
    }

    private List<SamplePoint> Buckets(
        NpgsqlConnection connection, long series, SampleQuery query, (long StepMs, RollupPlan? Plan) how, int room)
    {
        var buckets = new BucketFold(how.StepMs, query.Aggregation);
        foreach (var (kept, from, to) in RollupPlan.Pieces(query, how.Plan, how.Plan is { } plan ? Late(connection, series, plan) : []))
        {
            if (kept is { } rollups)
                EachRollup(connection, series, (rollups.Span, from, to), rollup => { buckets.Add(rollup, rollups.Span); Check(); });
            else
                EachSample(connection, series, from, to, (time, value) => { buckets.Add(time, value); Check(); });
        }

        buckets.End();
        Check();
        return buckets.Points;

        void Check()
        {
            if (buckets.Points.Count > room)
                throw MatchingSeries.TooManyPoints(query, limits);
        }
    }

    private static void EachSample(NpgsqlConnection connection, long series, long from, long to, Action<long, double> take)
    {
        using var command = connection.Command(
            SamplesOfOne, series, from, to);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            take(rows.GetInt64(0), rows.GetDouble(1));
    }

    private static void EachRollup(
        NpgsqlConnection connection, long series, (long Span, long From, long To) of, Action<Rollup> take)
    {
        using var command = connection.Command(
            $"SELECT {Rollup.Columns} FROM rollups WHERE series = $1 AND span = $2 AND start >= $3 AND start < $4 ORDER BY start",
            series, of.Span, of.From, of.To);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            take(PostgresRollups.Read(rows));
    }

    private static List<long> Late(NpgsqlConnection connection, long series, in RollupPlan plan)
    {
        var minutes = new List<long>();
        using var command = connection.Command(
            "SELECT minute FROM late WHERE series = $1 AND minute >= $2 AND minute < $3 ORDER BY minute", series, plan.From, plan.To);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            minutes.Add(rows.GetInt64(0));
        return minutes;
    }

    private static long? Id(NpgsqlConnection connection, string sql, params object[] values)
    {
        using var command = connection.Command(sql, values);
        return command.ExecuteScalar() is long id ? id : null;
    }

    private static StoredBatch Batch(NpgsqlDataReader row) => new(row.GetString(0), row.GetInt32(1), row.GetFieldValue<byte[]>(2));
}
