namespace EvenKeel.Kafka.Tests.Consuming.History;

/// <summary>A record that was written and acknowledged.</summary>
internal readonly record struct Written(string Topic, int Partition, long Offset, string Key);

/// <summary>A record whose handler succeeded, under one assignment of its partition to one member.</summary>
internal readonly record struct Handled(long Time, string Assignment, string Topic, int Partition, long Offset);

/// <summary>A commit as it was sent: all before the offset is said to be done. Lost: the member knew that the partition was not its
/// own.</summary>
internal readonly record struct Committed(long Time, string Assignment, string Topic, int Partition, long Offset, bool IsLost);

/// <summary>What a history can show that must not be.</summary>
internal enum Anomaly
{
    /// <summary>A record was written and never handled.</summary>
    Lost,

    /// <summary>A record was never handled, and the group's last commit lies behind it: nobody will.</summary>
    Skipped,

    /// <summary>A record was handled twice under one assignment: no crash and no rebalance explains it.</summary>
    Duplicated,

    /// <summary>A record was handled before one of the same key that lies before it had been.</summary>
    Reordered,

    /// <summary>A commit said that a record is done which nobody had handled yet.</summary>
    CommittedUnprocessed,

    /// <summary>A commit was sent for a partition that the member knew it had lost.</summary>
    CommittedAfterLoss,
}

/// <summary>An anomaly with what shows it.</summary>
internal readonly record struct Finding(Anomaly Anomaly, string Evidence);

/// <summary>
/// Judges what a group of consumers did to what was written, after the rules of "at least once, in order per key, no commit ahead of the
/// work". Times are from one clock; the order of equal times is that of the lists.
/// </summary>
internal static class HistoryChecker
{
    public static List<Finding> Check(
        IReadOnlyCollection<Written> written, IReadOnlyCollection<Handled> handled, IReadOnlyCollection<Committed> committed)
    {
        var findings = new List<Finding>();
        var first = new Dictionary<(string, int, long), long>();
        foreach (var one in handled.OrderBy(one => one.Time))
            first.TryAdd((one.Topic, one.Partition, one.Offset), one.Time);
        FindLost(written, first, committed, findings);
        FindDuplicated(handled, findings);
        FindReordered(written, first, findings);
        FindUnprocessed(written, first, committed, findings);
        foreach (var commit in committed.Where(commit => commit.IsLost))
            findings.Add(new Finding(Anomaly.CommittedAfterLoss, $"{commit}"));
        return findings;
    }

    private static void FindLost(
        IReadOnlyCollection<Written> written, Dictionary<(string, int, long), long> first, IReadOnlyCollection<Committed> committed,
        List<Finding> findings)
    {
        var last = committed.GroupBy(commit => (commit.Topic, commit.Partition))
            .ToDictionary(group => group.Key, group => group.MaxBy(commit => commit.Time).Offset);
        foreach (var record in written.Where(record => !first.ContainsKey((record.Topic, record.Partition, record.Offset))))
        {
            findings.Add(new Finding(Anomaly.Lost, $"{record} was never handled"));
            if (last.TryGetValue((record.Topic, record.Partition), out var offset) && offset > record.Offset)
                findings.Add(new Finding(Anomaly.Skipped, $"{record} was never handled, and the last commit is {offset}"));
        }
    }

    private static void FindDuplicated(IReadOnlyCollection<Handled> handled, List<Finding> findings)
    {
        var seen = new HashSet<(string, string, int, long)>();
        foreach (var one in handled.Where(one => !seen.Add((one.Assignment, one.Topic, one.Partition, one.Offset))))
            findings.Add(new Finding(Anomaly.Duplicated, $"{one} is not the first under its assignment"));
    }

    private static void FindReordered(
        IReadOnlyCollection<Written> written, Dictionary<(string, int, long), long> first, List<Finding> findings)
    {
        foreach (var key in written.GroupBy(record => (record.Topic, record.Partition, record.Key)))
        {
            var (latest, before) = (long.MinValue, default(Written));
            foreach (var record in key.OrderBy(record => record.Offset))
            {
                if (!first.TryGetValue((record.Topic, record.Partition, record.Offset), out var time))
                    continue;
                if (time < latest)
                    findings.Add(new Finding(Anomaly.Reordered, $"{record} was handled at {time}, {before} only at {latest}"));
                else
                    (latest, before) = (time, record);
            }
        }
    }

    private static void FindUnprocessed(
        IReadOnlyCollection<Written> written, Dictionary<(string, int, long), long> first, IReadOnlyCollection<Committed> committed,
        List<Finding> findings)
    {
        foreach (var partition in committed.GroupBy(commit => (commit.Topic, commit.Partition)))
        {
            // For each offset the time at which all up to it had been handled; the first commit over it must be later.
            var doneAt = written.Where(record => (record.Topic, record.Partition) == partition.Key)
                .OrderBy(record => record.Offset)
                .Select(record => (record, Time: first.GetValueOrDefault((record.Topic, record.Partition, record.Offset), long.MaxValue)))
                .ToList();
            foreach (var commit in partition)
            {
                var open = doneAt.TakeWhile(entry => entry.record.Offset < commit.Offset).Where(entry => entry.Time > commit.Time).ToList();
                if (open.Count > 0)
                    findings.Add(new Finding(Anomaly.CommittedUnprocessed, $"{commit} over {open[0].record}, which was not handled yet"));
            }
        }
    }
}
