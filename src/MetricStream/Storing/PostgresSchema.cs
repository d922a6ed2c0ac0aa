using Npgsql;

namespace MetricStream.Storing;

/// <summary>The tables of the store in PostgreSQL, made and brought up to date by whoever opens them first; others wait for it.</summary>
internal static class PostgresSchema
{
    /// <summary>The schema where the connection string names none (<c>Search Path</c>).</summary>
    public const string DefaultName = "metricstream";

    // One number for all stores of a database: only starters take it.
    private const long StartersLock = 0x4D535452;

    // Whoever waits for another starter, or for who writes, tries again later; a step itself may read a large table.
    private const int WaitMs = 20_000;
    private const int SecondsForStep = 4 * 3600;

    // Steps[n] leads from version n to n + 1. Released entries are never edited.
    private static readonly string[] Steps = [Version1, Version2, Version3];

    /// <summary>
    /// As in <see cref="StoreSchema"/>, but for what several servers share: counters and acceptances are kept by the server that stored,
    /// so that two of them never wait for one row; a series stays when its samples are gone, because every server remembers its number.
    /// </summary>
    internal const string Version1 = """
        CREATE TABLE sources(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL UNIQUE, position bigint NOT NULL,
            quarantined bigint NOT NULL DEFAULT 0, fence bigint NOT NULL DEFAULT 0, owner text,
            born bigint NOT NULL DEFAULT 0, lost bigint NOT NULL DEFAULT 0);

        CREATE TABLE clients(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client text COLLATE "C" NOT NULL UNIQUE,
            acknowledged bigint NOT NULL DEFAULT 0, rejected bigint NOT NULL DEFAULT 0, last_seen bigint NOT NULL DEFAULT 0);

        CREATE TABLE batches(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client bigint NOT NULL, batch_id text COLLATE "C" NOT NULL,
            source bigint NOT NULL, position bigint NOT NULL, arrived bigint NOT NULL, metrics integer NOT NULL, body bytea NOT NULL,
            record_id bytea);
        CREATE UNIQUE INDEX batches_by_batch_id ON batches(client, batch_id);
        CREATE INDEX batches_by_client ON batches(client, id);
        CREATE INDEX batches_by_arrival ON batches(arrived);
        CREATE INDEX batches_by_position ON batches(source, position);

        CREATE TABLE series(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key bytea NOT NULL UNIQUE, name text COLLATE "C" NOT NULL);
        CREATE INDEX series_by_name ON series(name);

        CREATE TABLE samples(
            series bigint NOT NULL, time bigint NOT NULL, ordinal bigint GENERATED ALWAYS AS IDENTITY, value double precision NOT NULL);
        CREATE INDEX samples_by_series ON samples(series, time, ordinal) INCLUDE (value);

        CREATE TABLE dead_letters(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source bigint NOT NULL, position bigint NOT NULL,
            client text, batch_id text, reason text NOT NULL, arrived bigint, body bytea NOT NULL);

        CREATE TABLE settled(record_id bytea PRIMARY KEY, arrived bigint NOT NULL, outcome smallint NOT NULL);
        CREATE INDEX settled_by_arrival ON settled(arrived) WHERE outcome = 1;

        CREATE TABLE acceptances(
            stored_by text COLLATE "C", server text COLLATE "C", count bigint NOT NULL, PRIMARY KEY (stored_by, server));
        CREATE TABLE counters(
            stored_by text COLLATE "C" PRIMARY KEY, stored bigint NOT NULL DEFAULT 0, duplicates bigint NOT NULL DEFAULT 0,
            dead_lettered bigint NOT NULL DEFAULT 0, rejected bigint NOT NULL DEFAULT 0, replays bigint NOT NULL DEFAULT 0);
        """;

    /// <summary>As version 3 in <see cref="StoreSchema"/>; the state is a row for each number, because writers hold the one that says what
    /// is closed.</summary>
    internal const string Version2 = """
        CREATE TABLE rollups(
            series bigint NOT NULL, span bigint NOT NULL, start bigint NOT NULL, count bigint NOT NULL, min double precision NOT NULL,
            max double precision NOT NULL, sum double precision NOT NULL, first_time bigint NOT NULL, first double precision NOT NULL,
            last_time bigint NOT NULL, last double precision NOT NULL, increase double precision NOT NULL,
            PRIMARY KEY (series, span, start));
        CREATE TABLE late(series bigint NOT NULL, minute bigint NOT NULL, PRIMARY KEY (series, minute));
        CREATE TABLE rollup_state(name text PRIMARY KEY, value bigint NOT NULL);
        INSERT INTO rollup_state VALUES ('closed', -63999997200000), ('rolled', -63999997200000), ('expired', -63999997200000),
            ('walking', 0), ('series', 0), ('time', 0);
        """;

    /// <summary>
    /// Samples by day (see <see cref="PostgresDays"/>). What an older store has becomes one partition as it lies there, up to the next
    /// midnight in UTC; the few samples of later times move to the rest. The table has another name than the older one: a program of an
    /// older format that runs on cannot store, rather than delete rows by an address that is no longer theirs alone.
    /// </summary>
    internal const string Version3 = """
        LOCK TABLE samples IN ACCESS EXCLUSIVE MODE;
        CREATE TABLE samples_by_day(
            series bigint NOT NULL, time bigint NOT NULL, ordinal bigint NOT NULL, value double precision NOT NULL)
            PARTITION BY RANGE (time);
        CREATE SEQUENCE samples_by_day_ordinal OWNED BY samples_by_day.ordinal;
        ALTER TABLE samples_by_day ALTER ordinal SET DEFAULT nextval('samples_by_day_ordinal');
        CREATE TABLE samples_rest PARTITION OF samples_by_day DEFAULT;
        CREATE INDEX samples_by_day_and_series ON samples_by_day(series, time, ordinal) INCLUDE (value);

        DO $$
        DECLARE border bigint := (floor(extract(epoch FROM now()) / 86400)::bigint + 1) * 86400000;
        BEGIN
            PERFORM setval('samples_by_day_ordinal', nextval(pg_get_serial_sequence('samples', 'ordinal')));
            IF NOT EXISTS (SELECT FROM samples) THEN
                DROP TABLE samples;
                RETURN;
            END IF;
            ALTER TABLE samples ALTER ordinal DROP IDENTITY;
            ALTER TABLE samples RENAME TO samples_before;
            WITH ahead AS (
                DELETE FROM samples_before WHERE ctid = ANY(ARRAY(
                    SELECT s.ctid FROM series, LATERAL (
                        SELECT ctid FROM samples_before WHERE samples_before.series = series.id AND time >= border OFFSET 0) s))
                RETURNING series, time, ordinal, value)
            INSERT INTO samples_rest(series, time, ordinal, value) SELECT series, time, ordinal, value FROM ahead;
            EXECUTE format('ALTER TABLE samples_by_day ATTACH PARTITION samples_before FOR VALUES FROM (MINVALUE) TO (%s)', border);
        END $$;
        """;

    /// <summary>Makes what is missing, all of it or nothing.</summary>
    /// <exception cref="StoreOpenException">A newer program made the tables.</exception>
    public static void Make(NpgsqlConnection connection, string schema)
    {
        using var transaction = connection.BeginTransaction();
        Run(connection, $"SET LOCAL lock_timeout = {WaitMs}");
        Run(connection, $"SELECT pg_advisory_xact_lock({StartersLock})");
        Run(connection, $"CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        Run(connection, $"SET LOCAL search_path TO \"{schema}\"");
        Run(connection, "CREATE TABLE IF NOT EXISTS format(version integer NOT NULL)");
        var version = Run(connection, "SELECT version FROM format") as int? ?? 0;
        if (version > Steps.Length)
        {
            throw new StoreOpenException(
                $"The store in schema '{schema}' has format {version}, this program knows formats up to {Steps.Length}; "
                + "run the newer program that made it, or name another schema with 'Search Path' in --postgres.");
        }

        if (version < Steps.Length)
        {
            for (var step = version; step < Steps.Length; step++)
                Run(connection, Steps[step]);
            Run(connection, $"DELETE FROM format; INSERT INTO format VALUES ({Steps.Length})");
        }

        transaction.Commit();
    }

    /// <summary>The tables are there in this program's format.</summary>
    public static bool IsCurrent(NpgsqlConnection connection) =>
        connection.Number("SELECT count(to_regclass('format'))") > 0
        && connection.Number("SELECT version::bigint FROM format") == Steps.Length;

    private static object? Run(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // Constant but for the schema, a quoted name that the store has checked.
        using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        command.CommandTimeout = SecondsForStep;
        return command.ExecuteScalar();
    }
}
