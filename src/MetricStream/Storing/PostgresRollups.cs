using Npgsql;

namespace MetricStream.Storing;

/// <summary>
/// The roll-ups in PostgreSQL: see <see cref="RollupRound"/>. For one step, in a transaction that reads what is committed, statement by
/// statement: a writer holds the time that is closed, and the marks it made, until its samples are there to be read.
/// </summary>
internal sealed class PostgresRollups(NpgsqlConnection connection) : IRollupTables
{
    // One server at a time; the others' rounds find nothing to do meanwhile.
    private const int RoundsLock = 0x4D535452;

    private const int PageRows = 20_000;

    // The first bound of time says no more than the pair does; by it PostgreSQL looks into the days between the bounds alone.
    internal const string SamplesPage = """
        SELECT time, ordinal, value FROM samples_by_day
        WHERE series = $1 AND (time, ordinal) > ($2, $3) AND time >= $2 AND time < $4 ORDER BY time, ordinal LIMIT $5
        """;

    private readonly Dictionary<(long Series, long Span, long Start), Rollup> _keeping = [];

    public static RollupStep Step(NpgsqlConnection connection, long closeBefore, int limit)
    {
        PostgresDays.HoldRest(connection);
        using (var command = connection.Command(
            "SELECT pg_try_advisory_xact_lock($1, hashtext(current_schema()))", RoundsLock))
        {
            if (command.ExecuteScalar() is not true)
                return new RollupStep(0, false);
        }

        var tables = new PostgresRollups(connection);
        var step = RollupRound.Step(tables, closeBefore, limit);
        tables.Flush();
        return step;
    }

    public static RollupState State(NpgsqlConnection connection) => new PostgresRollups(connection).Progress().State;

    /// <summary>A row of <see cref="Rollup.Columns"/>.</summary>
    public static Rollup Read(NpgsqlDataReader row) => new()
    {
        Start = row.GetInt64(0),
        Count = row.GetInt64(1),
        Min = row.GetDouble(2),
        Max = row.GetDouble(3),
        Sum = row.GetDouble(4),
        FirstTime = row.GetInt64(5),
        First = row.GetDouble(6),
        LastTime = row.GetInt64(7),
        Last = row.GetDouble(8),
        Increase = row.GetDouble(9),
    };

    public RollupProgress Progress()
    {
        var values = new Dictionary<string, long>(StringComparer.Ordinal);
        using var command = connection.Command("SELECT name, value FROM rollup_state");
        using var rows = command.ExecuteReader();
        while (rows.Read())
            values.Add(rows.GetString(0), rows.GetInt64(1));
        return new RollupProgress(
            new RollupState(values["closed"], values["rolled"], values["expired"]),
            values["walking"] != 0, values["series"], values["time"]);
    }

    // A row that does not change is left alone: writers hold the one that says what is closed.
    public void Save(in RollupProgress progress) => connection.Run(
        """
        UPDATE rollup_state SET value = new.value FROM unnest($1, $2) AS new(name, value)
        WHERE rollup_state.name = new.name AND rollup_state.value <> new.value
        """,
        (string[])["closed", "rolled", "walking", "series", "time"],
        (long[])[progress.State.ClosedUntil, progress.State.RolledUntil, progress.IsWalking ? 1 : 0, progress.Series, progress.Time]);

    public long? NextSeries(long after)
    {
        using var command = connection.Command("SELECT id FROM series WHERE id > $1 ORDER BY id LIMIT 1", after);
        return command.ExecuteScalar() is long id ? id : null;
    }

    public void Samples(long series, long from, long to, Func<long, double, bool> take)
    {
        var (time, ordinal, rows) = (from, long.MinValue, PageRows);
        while (rows == PageRows)
        {
            using var command = connection.Command(SamplesPage, series, time, ordinal, to, PageRows);
            using var page = command.ExecuteReader();
            for (rows = 0; page.Read(); rows++)
            {
                (time, ordinal) = (page.GetInt64(0), page.GetInt64(1));
                if (!take(time, page.GetDouble(2)))
                    return;
            }
        }
    }

    public List<Rollup> Kept(long series, long span, long from, long to)
    {
        Flush();
        var kept = new List<Rollup>();
        using var command = connection.Command(
            $"SELECT {Rollup.Columns} FROM rollups WHERE series = $1 AND span = $2 AND start >= $3 AND start < $4 ORDER BY start",
            series, span, from, to);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            kept.Add(Read(rows));
        return kept;
    }

    public void Keep(long series, long span, in Rollup rollup) => _keeping[(series, span, rollup.Start)] = rollup;

    public List<(long Series, long Minute)> Marked(int limit)
    {
        var marked = new List<(long, long)>();
        using var command = connection.Command("SELECT series, minute FROM late ORDER BY series, minute LIMIT $1", limit);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            marked.Add((rows.GetInt64(0), rows.GetInt64(1)));
        return marked;
    }

    /// <summary>Waits for whoever marks it at this moment.</summary>
    public void Unmark(long series, long minute) =>
        connection.Run("DELETE FROM late WHERE series = $1 AND minute = $2", series, minute);

    private void Flush()
    {
        if (_keeping.Count == 0)
            return;
        var (empty, full) = (_keeping.Where(one => one.Value.Count == 0).ToList(), _keeping.Where(one => one.Value.Count > 0).ToList());
        if (empty.Count > 0)
        {
            connection.Run(
                """
                DELETE FROM rollups USING unnest($1, $2, $3) AS gone(series, span, start)
                WHERE rollups.series = gone.series AND rollups.span = gone.span AND rollups.start = gone.start
                """,
                empty.Select(one => one.Key.Series).ToArray(), empty.Select(one => one.Key.Span).ToArray(),
                empty.Select(one => one.Key.Start).ToArray());
        }

        if (full.Count > 0)
        {
            long[] Long(Func<KeyValuePair<(long Series, long Span, long Start), Rollup>, long> of) => [.. full.Select(of)];
            double[] Double(Func<Rollup, double> of) => [.. full.Select(one => of(one.Value))];
            connection.Run(
                $"""
                INSERT INTO rollups(series, span, {Rollup.Columns}) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                ON CONFLICT (series, span, start) DO UPDATE SET count = excluded.count, min = excluded.min, max = excluded.max,
                    sum = excluded.sum, first_time = excluded.first_time, first = excluded.first, last_time = excluded.last_time,
                    last = excluded.last, increase = excluded.increase
                """,
                Long(one => one.Key.Series), Long(one => one.Key.Span), Long(one => one.Key.Start), Long(one => one.Value.Count),
                Double(r => r.Min), Double(r => r.Max), Double(r => r.Sum), Long(one => one.Value.FirstTime), Double(r => r.First),
                Long(one => one.Value.LastTime), Double(r => r.Last), Double(r => r.Increase));
        }

        _keeping.Clear();
    }
}
