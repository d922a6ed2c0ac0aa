using System.Globalization;
using Npgsql;

namespace MetricStream.Storing;

/// <summary>A partition of the samples: its table, quoted as SQL needs it, and the times that it holds, Unix ms.</summary>
internal readonly record struct PostgresDay(string Table, long From, long To);

/// <summary>
/// The partitions of the samples: a table for each day in UTC, made ahead, or before its first sample is written. What has none lies in the
/// table of the rest: times far from today, days that are too old by now, and whatever comes while a partition cannot be made.
/// So no sample ever waits for a partition, and none is refused for want of one.
/// </summary>
/// <remarks>
/// A table is filled with what the rest holds of its day, and attached: that locks the rest for as long, not the samples. Whoever reads
/// samples in more than one place holds the rest (<see cref="HoldRest"/>), so that nothing moves under it.
/// </remarks>
internal sealed class PostgresDays(TimeProvider time)
{
    public const long Day = 24 * Rollup.Hour;

    // A client chooses its times: it must not choose how many tables there are. Each costs a query over all times two locks.
    private const int DaysBack = 92;
    private const int DaysForth = 7;

    private const int DaysMadeAhead = 2;

    // Each drop waits for whoever reads samples, and they for it.
    private const int DropsPerStep = 8;

    // Not that of starters: none of them is waited for here.
    private const int DaysLock = 0x4D534459;
    private const int WaitMs = 1000;
    private const int SecondsToMove = 600;

    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    // Days that have their partition, or need none. Anew each day.
    private readonly HashSet<long> _decided = [];
    private long _today = long.MinValue;
    private long? _putOffAt;

    /// <summary>Makes what is missing for these times, and for today and the next days; in transactions of its own.</summary>
    public void Prepare(NpgsqlConnection connection, IReadOnlyCollection<PostgresRecord> records)
    {
        var today = Rollup.Floor(time.GetUtcNow().ToUnixTimeMilliseconds(), Day);
        if (today != _today)
            _decided.Clear();
        _today = today;
        if (_putOffAt is { } at && time.GetElapsedTime(at) < Pause)
            return;
        _putOffAt = null;

        var missing = new SortedSet<long>(
            Enumerable.Range(0, DaysMadeAhead + 1).Select(days => today + (days * Day)).Where(day => !_decided.Contains(day)));
        var last = today;
        foreach (var metric in records.SelectMany(record => record.Metrics))
        {
            if (metric.UnixMs >= last && metric.UnixMs - last < Day)
                continue;
            last = Rollup.Floor(metric.UnixMs, Day);
            if (last >= today - (DaysBack * Day) && last <= today + (DaysForth * Day) && !_decided.Contains(last))
                missing.Add(last);
        }

        try
        {
            foreach (var day in missing)
            {
                Make(connection, day);
                _decided.Add(day);
            }
        }
        catch (PostgresException busy) when (IsBusy(busy))
        {
            // The samples lie in the rest meanwhile, and move when the partition is made.
            _putOffAt = time.GetTimestamp();
        }
    }

    /// <summary>Drops partitions with nothing but times before this; whether there may be more of them now.</summary>
    public static bool Drop(NpgsqlConnection connection, long before)
    {
        var expired = All(connection).Where(day => day.To <= before).ToList();
        try
        {
            foreach (var day in expired.Take(DropsPerStep))
            {
                using var transaction = Begin(connection);
                // Another server may have been quicker.
                connection.Run($"DROP TABLE IF EXISTS {day.Table}");
                transaction.Commit();
            }
        }
        catch (PostgresException busy) when (IsBusy(busy))
        {
            // Somebody reads for longer than we make others wait: the next round tries again.
            return false;
        }

        return expired.Count > DropsPerStep;
    }

    /// <summary>The tables in which some samples before a time may lie beside later ones.</summary>
    public static IEnumerable<string> Edge(NpgsqlConnection connection, long before) =>
        All(connection).Where(day => day.From < before && before < day.To).Select(day => day.Table).Prepend("samples_rest");

    /// <summary>Until the end of the transaction nothing moves from the rest to a new partition: such a row would be in neither place for
    /// a reader whose snapshot is older than the move. Before the first statement of the transaction.</summary>
    public static void HoldRest(NpgsqlConnection connection) => connection.Run("LOCK TABLE samples_rest IN ACCESS SHARE MODE");

    /// <summary>All partitions with bounds, those included that an operator attached.</summary>
    internal static List<PostgresDay> All(NpgsqlConnection connection)
    {
        var days = new List<PostgresDay>();
        using var command = connection.Command("""
            SELECT c.oid::regclass::text, bounds[1], bounds[2] FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid,
                regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?([^'')]+)''?\) TO \(''?([^'')]+)''?\)') AS bounds
            WHERE inhparent = 'samples_by_day'::regclass AND bounds IS NOT NULL
            """);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            days.Add(new PostgresDay(rows.GetString(0), Bound(rows.GetString(1)), Bound(rows.GetString(2))));
        return days;
    }

    private static long Bound(string text) => text switch
    {
        "MINVALUE" => long.MinValue,
        "MAXVALUE" => long.MaxValue,
        _ => long.Parse(text, CultureInfo.InvariantCulture),
    };

    private static void Make(NpgsqlConnection connection, long day)
    {
        using var transaction = Begin(connection);
        var until = day + Day;
        var name = "samples_" + DateTimeOffset.FromUnixTimeMilliseconds(day).ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        // Whoever held the lock before us may have made it; of what is too old the rest takes care; a table of the name that is not a
        // partition is an operator's, who took it out.
        if (until <= connection.Number("SELECT value FROM rollup_state WHERE name = 'expired'")
            || All(connection).Any(known => known.From < until && day < known.To)
            || connection.Number("SELECT count(to_regclass($1))", name) > 0)
            return;
        connection.Run("LOCK TABLE samples_rest IN ACCESS EXCLUSIVE MODE");
        connection.Run($"CREATE TABLE {name}(LIKE samples_by_day INCLUDING DEFAULTS)");
        using (var move = connection.Command(
            $"""
            WITH moved AS (DELETE FROM samples_rest WHERE time >= $1 AND time < $2 RETURNING series, time, ordinal, value)
            INSERT INTO {name}(series, time, ordinal, value) SELECT series, time, ordinal, value FROM moved
            """, day, until))
        {
            move.CommandTimeout = SecondsToMove;
            move.ExecuteNonQuery();
        }

        connection.Run(FormattableString.Invariant(
            $"ALTER TABLE samples_by_day ATTACH PARTITION {name} FOR VALUES FROM ({day}) TO ({until})"));
        transaction.Commit();
    }

    // One server at a time; nobody is made to wait for long.
    private static NpgsqlTransaction Begin(NpgsqlConnection connection)
    {
        var transaction = connection.BeginTransaction();
        try
        {
            connection.Run($"SET LOCAL lock_timeout = {WaitMs}");
            connection.Run("SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))", DaysLock);
            return transaction;
        }
        catch
        {
            transaction.Dispose();
            throw;
        }
    }

    private static bool IsBusy(PostgresException error) =>
        error.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected;
}
