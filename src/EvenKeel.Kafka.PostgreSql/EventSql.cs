namespace EvenKeel.Kafka.PostgreSql;

/// <summary>The statements of one schema. Times are the server's: its clock is the one that all processes share.</summary>
internal sealed class EventSql(string schema)
{
    /// <summary>
    /// Taken before the position is drawn and held to the end of the transaction: positions of one lane are committed in their order, so
    /// that who sees an event sees all earlier ones of its lane.
    /// </summary>
    public const string LockLane = "SELECT pg_advisory_xact_lock($1)";

    /// <summary>Where the server is set not to wait for its disk, it does for this transaction.</summary>
    public const string BeDurable =
        "SELECT CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END";

    public string Insert { get; } =
        $"""
        INSERT INTO {schema}.event (event_id, topic, key, value, header_names, header_values, timestamp_ms, lane, claim, due_at)
        VALUES ($1, $2, $3, $4, $5, $6,
            CASE WHEN $7 = 0 THEN (extract(epoch FROM clock_timestamp()) * 1000)::bigint ELSE $7 END,
            $8, $9, clock_timestamp() + make_interval(secs => $10))
        RETURNING position, timestamp_ms
        """;

    public string TryClaim { get; } =
        $"""
        UPDATE {schema}.event e SET claim = $2, due_at = clock_timestamp() + make_interval(secs => $3), attempts = attempts + 1
        WHERE e.position = $1 AND e.settled_at IS NULL AND (e.claim = $2 OR e.due_at <= clock_timestamp())
            AND (e.lane IS NULL OR NOT EXISTS (
                SELECT FROM {schema}.event p WHERE p.settled_at IS NULL AND p.lane = e.lane AND p.position < e.position))
        """;

    /// <summary>
    /// Of each lane the first unsettled event, if it is due and nobody is just taking it; then those behind it, depth by depth, so that one
    /// long lane does not keep out the others. The row of a lane's first event is the lock on the lane.
    /// </summary>
    public string ClaimDue { get; } =
        $"""
        WITH head AS MATERIALIZED (
            SELECT e.position, e.lane, e.due_at FROM {schema}.event e
            WHERE e.settled_at IS NULL AND e.due_at <= clock_timestamp()
                AND (e.lane IS NULL OR NOT EXISTS (
                    SELECT FROM {schema}.event p WHERE p.settled_at IS NULL AND p.lane = e.lane AND p.position < e.position))
            ORDER BY e.due_at, e.position
            LIMIT $1
            FOR UPDATE OF e SKIP LOCKED),
        run AS (
            SELECT member.position FROM (
                SELECT position, 0 AS depth, due_at FROM head
                UNION ALL
                SELECT behind.position, behind.depth, head.due_at FROM head CROSS JOIN LATERAL (
                    SELECT e.position, row_number() OVER (ORDER BY e.position) AS depth FROM {schema}.event e
                    WHERE e.settled_at IS NULL AND e.lane = head.lane AND e.position > head.position
                    ORDER BY e.position LIMIT $1) behind) member
            ORDER BY member.depth, member.due_at, member.position
            LIMIT $1)
        UPDATE {schema}.event e SET claim = $2, due_at = clock_timestamp() + make_interval(secs => $3), attempts = attempts + 1
        FROM run WHERE e.position = run.position AND e.settled_at IS NULL
        RETURNING e.position, e.event_id, e.topic, e.key, e.value, e.header_names, e.header_values, e.timestamp_ms
        """;

    public string Settle { get; } =
        $"""
        UPDATE {schema}.event e SET settled_at = clock_timestamp(), fate = mark.fate, reason = mark.reason
        FROM unnest($1, $2, $3) AS mark(position, fate, reason)
        WHERE e.position = mark.position AND e.settled_at IS NULL
        """;

    public string Release { get; } =
        $"""
        UPDATE {schema}.event e SET due_at = clock_timestamp() + make_interval(secs => mark.pause), reason = mark.reason
        FROM unnest($1, $2, $3, $4) AS mark(position, claim, pause, reason)
        WHERE e.position = mark.position AND e.claim = mark.claim AND e.settled_at IS NULL
        """;

    public string Tidy { get; } =
        $"""
        DELETE FROM {schema}.event WHERE position IN (
            SELECT position FROM {schema}.event
            WHERE settled_at < clock_timestamp() - make_interval(secs => CASE WHEN fate = 'refused' THEN $2 ELSE $1 END)
            LIMIT $3 FOR UPDATE SKIP LOCKED)
        """;

    public string Count { get; } =
        $"""
        SELECT (SELECT count(*) FROM {schema}.event WHERE settled_at IS NULL),
            (SELECT count(*) FROM {schema}.event WHERE fate = 'refused')
        """;
}
