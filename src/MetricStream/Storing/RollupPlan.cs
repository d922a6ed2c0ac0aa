namespace MetricStream.Storing;

/// <summary>How far the store has rolled its samples up, in Unix ms.</summary>
/// <param name="ClosedUntil">A sample written before this time is late: its minute is marked, in the transaction that writes it.</param>
/// <param name="RolledUntil">Every minute, and every hour, that ends by then has its roll-up, unless it is marked.</param>
/// <param name="ExpiredBefore">Samples before it may have been removed.</param>
internal readonly record struct RollupState(long ClosedUntil, long RolledUntil, long ExpiredBefore)
{
    /// <summary>Before every time that a sample may have; the start of an hour.</summary>
    public const long Never = -63_999_997_200_000;
}

/// <summary>
/// A part of a query's range that roll-ups of one span answer: from <paramref name="From"/> to <paramref name="To"/>, in whole buckets.
/// What lies before it, behind it, and in the buckets that are marked, comes from the samples.
/// </summary>
internal readonly record struct RollupPlan(long Span, long From, long To)
{
    /// <summary>The largest span that the step is a multiple of; null where the samples are as quick, or there are no roll-ups.</summary>
    public static RollupPlan? Of(SampleQuery query, in RollupState state, long leastRangeMs)
    {
        if (query.StepMs is not { } step || step % Rollup.Minute != 0 || state.ExpiredBefore >= state.RolledUntil)
            return null;
        var span = step % Rollup.Hour == 0 ? Rollup.Hour : Rollup.Minute;
        var from = Rollup.Ceiling(Math.Max(Math.Max(query.From, state.ExpiredBefore), RollupState.Never), span);
        var to = Rollup.Floor(Math.Min(query.To, state.RolledUntil), span);
        return to - from >= Math.Max(leastRangeMs, span) ? new RollupPlan(span, from, to) : null;
    }

    /// <summary>The query's range in pieces, in their order: from roll-ups, or (null) from the samples.</summary>
    /// <param name="query">The query.</param>
    /// <param name="plan">Which part roll-ups answer; null: none.</param>
    /// <param name="marked">The marked minutes in that part, in their order.</param>
    public static IEnumerable<(RollupPlan? Kept, long From, long To)> Pieces(
        SampleQuery query, RollupPlan? plan, IReadOnlyList<long> marked)
    {
        if (plan is not { } kept)
        {
            yield return (null, query.From, query.To);
            yield break;
        }

        if (query.From < kept.From)
            yield return (null, query.From, kept.From);
        var at = kept.From;
        foreach (var bucket in marked.Select(minute => Rollup.Floor(minute, kept.Span)).Distinct())
        {
            if (bucket > at)
                yield return (kept, at, bucket);
            at = bucket + kept.Span;
            yield return (null, bucket, at);
        }

        if (at < kept.To)
            yield return (kept, at, kept.To);
        if (kept.To < query.To)
            yield return (null, kept.To, query.To);
    }
}
