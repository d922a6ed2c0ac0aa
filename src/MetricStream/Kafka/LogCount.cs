using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>
/// The log's side of the law, in batches. The ids in the log tell whose an acceptance was once it is read; what is not read yet is only
/// counted, and shared out by what this server knows that it sent.
/// </summary>
/// <param name="Ours">Acknowledged by this server, or written into the log by another program and read here.</param>
/// <param name="Queued">In the partitions that are this server's, not stored yet.</param>
/// <param name="HandedIn">Acknowledged by others, and stored or queued here.</param>
/// <param name="HandedOver">Acknowledged here, and stored or queued elsewhere.</param>
internal readonly record struct LogCount(long Ours, long Queued, long HandedIn, long HandedOver)
{
    public static LogCount Of(StoreAccount account, KafkaParts parts, string me)
    {
        // 1. What was read: by whom, and whose it was.
        var (readOurs, readHere, readOthers, elsewhere) = (0L, 0L, 0L, 0L);
        foreach (var count in account.Acceptances)
        {
            var isHere = count.StoredBy.Length == 0 || count.StoredBy == me;
            if (count.Server == me)
                readOurs += count.Count;
            if (isHere && count.Server.Length == 0)
                readHere += count.Count;
            else if (isHere && count.Server != me)
                readOthers += count.Count;
            else if (!isHere && count.Server == me)
                elsewhere += count.Count;
        }

        // 2. What was not read yet, here and in all. Before the ends are known: what this server knows that it sent.
        var sent = parts.Intake.Account.Delivered;
        var partitions = PartitionState.All(account, parts);
        var queued = partitions.Where(partition => partition.Owner is null || partition.Owner == me).Sum(partition => partition.Lag);
        var inLog = partitions.Sum(partition => partition.Lag);
        if (parts.Survey.Bounds is null)
            queued = inLog = Math.Max(0, sent - readOurs);

        // 3. Whose that is. Where nobody else was ever seen it is ours.
        var isAlone = parts.Options.Role == ServerRole.All && readOthers == 0 && elsewhere == 0 && queued == inLog;
        var oursInLog = isAlone ? queued : Math.Min(Math.Max(0, sent - readOurs), inLog);
        return new LogCount(
            readOurs + readHere + oursInLog + account.Counters.Lost, queued, readOthers + Math.Max(0, queued - oursInLog),
            elsewhere + Math.Max(0, oursInLog - queued));
    }
}

/// <summary>Where a partition stands: its end, what is stored of it, and whose it is (null: nobody's yet).</summary>
internal readonly record struct PartitionState(int Partition, long End, long Next, string? Owner, double? LagSeconds)
{
    public long Lag => Math.Max(0, End - Next);

    public static IReadOnlyList<PartitionState> All(StoreAccount account, KafkaParts parts)
    {
        if (parts.Survey.Bounds is not { } bounds)
            return [];
        var (topic, id) = (parts.Options.Topic, parts.Survey.TopicId);
        var read = parts.Member?.Positions.ToDictionary(position => position.Partition.Partition) ?? [];
        var states = new List<PartitionState>(bounds.Count);
        for (var partition = 0; partition < bounds.Count; partition++)
        {
            var source = TopicSource.Of(topic, id, partition);
            var next = account.Positions.TryGetValue(source, out var position) ? position : bounds[partition].First;
            // What this server has sent or stored is there, whether or not the cluster was asked since.
            var end = Math.Max(Math.Max(bounds[partition].End, parts.Intake.Batches.EndOf(partition)), next);
            var lag = read.GetValueOrDefault(partition)?.DoneTimestampMs is { } doneMs && end > next
                ? Math.Max(0, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - doneMs) / 1000.0 : (double?)null;
            states.Add(new PartitionState(partition, end, next, account.Owners.GetValueOrDefault(source), end > next ? lag : 0));
        }
        return states;
    }
}
