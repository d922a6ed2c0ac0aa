namespace MetricStream.Storing;

/// <summary>The tables of one store that roll-ups are made from and kept in, inside a transaction that the caller opened.</summary>
internal interface IRollupTables
{
    RollupProgress Progress();

    void Save(in RollupProgress progress);

    /// <summary>The series after a number, in their order; null: there is none.</summary>
    long? NextSeries(long after);

    /// <summary>The samples of a series in a range, in order, until the one who takes them answers false.</summary>
    void Samples(long series, long from, long to, Func<long, double, bool> take);

    /// <summary>What is kept of a series in a range, in order; null: whatever is.</summary>
    List<Rollup> Kept(long series, long span, long from, long to);

    /// <summary>Keeps a roll-up in the place of one that is there; with a count of 0 removes it.</summary>
    void Keep(long series, long span, in Rollup rollup);

    /// <summary>Minutes with late samples, in the order of series and minute.</summary>
    List<(long Series, long Minute)> Marked(int limit);

    /// <summary>Takes a mark away; the samples that are read after it are all that it stood for.</summary>
    void Unmark(long series, long minute);
}

/// <summary>How far roll-ups are, and where a walk over all series goes on (series 0: no walk is under way).</summary>
internal readonly record struct RollupProgress(RollupState State, bool IsWalking, long Series, long Time);

/// <summary>One step of rolling up, whether the round has more to do.</summary>
internal readonly record struct RollupStep(int Samples, bool More);

/// <summary>
/// Makes roll-ups out of samples, step by step. A walk goes over all series and folds what lies between the last walk and the time that is
/// closed now; then the minutes that late samples marked are folded anew. A roll-up is always made from all samples of its bucket.
/// </summary>
internal static class RollupRound
{
    /// <summary>One step: closes times before <paramref name="closeBefore"/> when the walk before is over, and reads about
    /// <paramref name="limit"/> samples, or the one bucket that has more.</summary>
    public static RollupStep Step(IRollupTables tables, long closeBefore, int limit)
    {
        var progress = tables.Progress();
        var samples = 0;
        closeBefore = Rollup.Floor(closeBefore, Rollup.Minute);
        if (!progress.IsWalking && closeBefore > progress.State.ClosedUntil)
        {
            progress = progress with { IsWalking = true, Series = 0, Time = 0, State = progress.State with { ClosedUntil = closeBefore } };
            // Whoever writes before this is committed is waited for; who comes after it marks what is late.
            tables.Save(progress);
        }

        if (progress.IsWalking)
        {
            (progress, samples) = Walk(tables, progress, limit);
            tables.Save(progress);
            return new RollupStep(samples, true);
        }

        return RollUpMarked(tables, progress.State.RolledUntil, limit);
    }

    private static (RollupProgress Progress, int Samples) Walk(IRollupTables tables, RollupProgress progress, int limit)
    {
        var (samples, visited) = (0, 0);
        var (from, to) = (progress.State.RolledUntil, progress.State.ClosedUntil);
        while (samples < limit && visited < limit)
        {
            visited++;
            // A series that was left half-way goes on there.
            var begin = Math.Max(from, progress.Time);
            if (progress.Series == 0 || progress.Time >= to)
            {
                if (tables.NextSeries(progress.Series) is not { } next)
                    return (new RollupProgress(progress.State with { RolledUntil = to }, false, 0, 0), samples);
                progress = progress with { Series = next };
                begin = from;
            }

            var (read, until) = RollUp(tables, progress.Series, (begin, to), limit - samples);
            samples += read;
            progress = progress with { Time = until };
        }

        return (progress, samples);
    }

    /// <summary>Folds whole minutes of a range until the limit is reached, and the hours that end in what was done.</summary>
    private static (int Samples, long Until) RollUp(IRollupTables tables, long series, (long From, long To) range, int limit)
    {
        var (samples, until) = (0, range.To);
        var hours = new SortedSet<long> { Rollup.Floor(range.From - 1, Rollup.Hour) };
        var fold = new RollupFold(Rollup.Minute, minute =>
        {
            tables.Keep(series, Rollup.Minute, minute);
            hours.Add(Rollup.Floor(minute.Start, Rollup.Hour));
        });
        var minute = long.MinValue;
        tables.Samples(series, range.From, range.To, (time, value) =>
        {
            var start = Rollup.Floor(time, Rollup.Minute);
            if (start != minute && samples >= limit)
            {
                until = start;
                return false;
            }

            minute = start;
            samples++;
            fold.Add(time, value);
            return true;
        });
        fold.End();
        foreach (var hour in hours.Where(hour => hour + Rollup.Hour > range.From && hour + Rollup.Hour <= until))
            RollUpHour(tables, series, hour);
        return (samples, until);
    }

    private static void RollUpHour(IRollupTables tables, long series, long hour)
    {
        var sum = new Rollup { Start = hour };
        foreach (var minute in tables.Kept(series, Rollup.Minute, hour, hour + Rollup.Hour))
            sum.Add(minute);
        tables.Keep(series, Rollup.Hour, sum);
    }

    private static RollupStep RollUpMarked(IRollupTables tables, long rolledUntil, int limit)
    {
        var samples = 0;
        var (done, marked) = (0, tables.Marked(limit));
        var hours = new SortedSet<(long Series, long Hour)>();
        for (; done < marked.Count && samples + done < limit; done++)
        {
            var (series, start) = marked[done];
            tables.Unmark(series, start);
            var minute = new Rollup { Start = start };
            tables.Samples(series, start, start + Rollup.Minute, (time, value) =>
            {
                samples++;
                if (!double.IsNaN(value))
                    minute.Add(time, value);
                return true;
            });
            tables.Keep(series, Rollup.Minute, minute);
            hours.Add((series, Rollup.Floor(start, Rollup.Hour)));
        }

        foreach (var (series, hour) in hours.Where(hour => hour.Hour + Rollup.Hour <= rolledUntil))
            RollUpHour(tables, series, hour);
        // What is marked meanwhile is for the next round: a minute under steady late samples must not be folded again and again.
        return new RollupStep(samples, done < marked.Count || marked.Count == limit);
    }
}
