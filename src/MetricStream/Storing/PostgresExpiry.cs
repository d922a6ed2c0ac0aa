using Npgsql;

namespace MetricStream.Storing;

/// <summary>
/// Removes rows that are too old in PostgreSQL: see <see cref="IMetricStore.Expire"/>. Of samples only those that share a table with
/// younger ones: whole days are dropped (<see cref="PostgresDays.Drop"/>).
/// </summary>
internal static class PostgresExpiry
{
    public static ExpiryStep Step(NpgsqlConnection connection, long samplesBefore, long batchesBefore, int limit)
    {
        // From here on queries take nothing before it from roll-ups.
        connection.Run("UPDATE rollup_state SET value = $1 WHERE name = 'expired' AND value < $1", samplesBefore);
        var batches = connection.Run(
            "DELETE FROM batches WHERE ctid = ANY(ARRAY(SELECT ctid FROM batches WHERE arrived < $1 ORDER BY arrived LIMIT $2))",
            batchesBefore, limit);
        var settled = connection.Run(
            "DELETE FROM settled WHERE ctid = ANY(ARRAY(SELECT ctid FROM settled WHERE outcome = 1 AND arrived < $1 LIMIT $2))",
            batchesBefore, limit);
        var samples = 0;
        foreach (var table in PostgresDays.Edge(connection, samplesBefore).ToList())
        {
            if (samples < limit)
                samples += DeleteSamples(connection, table, samplesBefore, limit - samples);
        }

        // The roll-up of a bucket that is cut in two goes too.
        var rollups = connection.Run("""
            DELETE FROM rollups WHERE ctid = ANY(ARRAY(
                SELECT r.ctid FROM series, unnest($3) AS spans(span), LATERAL (
                    SELECT ctid FROM rollups WHERE rollups.series = series.id AND rollups.span = spans.span AND start < $1
                    ORDER BY start LIMIT $2) r LIMIT $2))
            """, samplesBefore, limit, (long[])[Rollup.Minute, Rollup.Hour]);
        return new ExpiryStep(batches + samples, batches == limit || samples == limit || settled == limit || rollups == limit);
    }

    // In one table by its own name: an address of a row says nothing across partitions. A table that another server drops meanwhile makes
    // this step fail, and the next round goes on without it.
    private static int DeleteSamples(NpgsqlConnection connection, string table, long before, int limit) => connection.Run(
        $"""
        DELETE FROM {table} WHERE ctid = ANY(ARRAY(
            SELECT s.ctid FROM series, LATERAL (
                SELECT ctid FROM {table} AS part WHERE part.series = series.id AND time < $1 ORDER BY time LIMIT $2) s LIMIT $2))
        """, before, limit);
}
