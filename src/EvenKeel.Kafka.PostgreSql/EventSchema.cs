using EvenKeel.Kafka.Publishing;
using Npgsql;

namespace EvenKeel.Kafka.PostgreSql;

/// <summary>The repository's tables, made and brought up to date by whoever opens it first; others wait for it.</summary>
internal static class EventSchema
{
    public static IReadOnlyList<Func<string, string>> Steps { get; } = [First];

    /// <summary>Makes what is missing, under a lock that only starters take.</summary>
    /// <exception cref="EventRepositoryException">A later version of this library made the tables.</exception>
    public static async Task MakeAsync(NpgsqlConnection connection, string schema, int limitSeconds, CancellationToken cancellationToken)
    {
        // 1. As a rule nothing is to be done, and then no right to make tables is needed.
        if (await VersionAsync(connection, schema, limitSeconds, cancellationToken).ConfigureAwait(false) == Steps.Count)
            return;

        // 2. One starter at a time; who comes second finds the work done.
        var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using var _ = transaction.ConfigureAwait(false);
        await RunAsync(connection, $"SELECT pg_advisory_xact_lock({EventLane.OfSchema(schema)})", limitSeconds, cancellationToken)
            .ConfigureAwait(false);
        var version = await VersionAsync(connection, schema, limitSeconds, cancellationToken).ConfigureAwait(false);
        if (version > Steps.Count)
            throw new EventRepositoryException(
                $"The tables in schema '{schema}' are of version {version}, and this library knows {Steps.Count}: a later one made them. "
                + "Use that one, or another schema.");

        // 3. Step by step, and the version with them: all of it or nothing.
        for (; version < Steps.Count; version++)
            await RunAsync(connection, Steps[version](schema), limitSeconds, cancellationToken).ConfigureAwait(false);
        await RunAsync(connection, $"UPDATE {schema}.event_schema SET version = {version}", limitSeconds, cancellationToken)
            .ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<int> VersionAsync(
        NpgsqlConnection connection, string schema, int limitSeconds, CancellationToken cancellationToken)
    {
        // The catalog's tables, not to_regclass: that answers from a cache of the session, which an advisory lock does not renew, and so
        // told the second starter that the first had made nothing.
        if (await RunAsync(
            connection,
            "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            + $"WHERE n.nspname = '{schema}' AND c.relname = 'event_schema'",
            limitSeconds, cancellationToken).ConfigureAwait(false) is null)
            return 0;
        return (int)(await RunAsync(connection, $"SELECT version FROM {schema}.event_schema", limitSeconds, cancellationToken)
            .ConfigureAwait(false))!;
    }

    private static async Task<object?> RunAsync(
        NpgsqlConnection connection, string sql, int limitSeconds, CancellationToken cancellationToken)
    {
#pragma warning disable CA2100 // Constant but for the schema, whose name the options have checked.
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = limitSeconds };
#pragma warning restore CA2100
        await using var _ = command.ConfigureAwait(false);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    private static string First(string schema) =>
        $"""
        CREATE SCHEMA IF NOT EXISTS {schema};
        CREATE TABLE {schema}.event_schema (version integer NOT NULL);
        INSERT INTO {schema}.event_schema VALUES (0);
        CREATE TABLE {schema}.event (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id uuid NOT NULL,
            topic text NOT NULL,
            key bytea NOT NULL,
            value bytea,
            header_names text[] NOT NULL,
            header_values bytea[] NOT NULL,
            timestamp_ms bigint NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            lane bigint,
            claim uuid NOT NULL,
            due_at timestamptz NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            settled_at timestamptz,
            fate text CHECK (fate IN ('delivered', 'spilled', 'refused')),
            reason text,
            CHECK ((settled_at IS NULL) = (fate IS NULL)));
        CREATE INDEX event_unsettled_by_lane ON {schema}.event (lane, position) WHERE settled_at IS NULL;
        CREATE INDEX event_unsettled_by_due ON {schema}.event (due_at, position) WHERE settled_at IS NULL;
        CREATE INDEX event_settled ON {schema}.event (settled_at) WHERE settled_at IS NOT NULL;
        CREATE INDEX event_refused ON {schema}.event (settled_at) WHERE fate = 'refused';
        COMMENT ON COLUMN {schema}.event.lane IS 'a hash of topic and key: one lane is published in order; null: no key, no order';
        """;
}
