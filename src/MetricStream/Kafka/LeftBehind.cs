using EvenKeel.Kafka.Spilling;
using EvenKeel.Queue;
using MetricStream.Serving;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>Acknowledged batches that lie in the other queue of a data directory: a start that would leave them there is refused.</summary>
internal static class LeftBehind
{
    /// <summary>For a start with <c>--queue kafka</c> and this topic.</summary>
    /// <exception cref="StartRefusedException">The file queue holds batches that are not in the store, or the spill some for another
    /// topic: they would go where this server counts nothing.</exception>
    public static void Refuse(ServeSettings settings, IMetricStore store, string topic)
    {
        RefuseFileQueue(settings, store);
        RefuseOtherTopics(settings, topic);
    }

    private static void RefuseFileQueue(ServeSettings settings, IMetricStore store)
    {
        if (Waiting(settings.QueueFolder, queue => store.Position(StoreLoop.SourceOf(queue))) is > 0 and var waiting)
        {
            throw new StartRefusedException(
                $"{waiting} acknowledged batches wait in the file queue '{settings.QueueFolder}'. Start once with --queue file until "
                + "/api/stats says that none is queued, or name another directory with --data.");
        }
    }

    /// <summary>For a start with <c>--queue file</c>.</summary>
    /// <exception cref="StartRefusedException">The spill holds batches that are not in Kafka.</exception>
    public static void RefuseSpill(ServeSettings settings)
    {
        var waiting = TopicFolder.Topics(settings.SpillFolder)
            .Sum(topic => Waiting(TopicFolder.Of(settings.SpillFolder, topic), _ => 0));
        if (waiting > 0)
        {
            throw new StartRefusedException(
                $"{waiting} acknowledged batches wait in the spill '{settings.SpillFolder}' for Kafka. Start once with --queue kafka until "
                + "/api/stats says that none is spilled, or name another directory with --data.");
        }
    }

    private static void RefuseOtherTopics(ServeSettings settings, string topic)
    {
        foreach (var other in TopicFolder.Topics(settings.SpillFolder).Where(name => name != topic))
        {
            if (Waiting(TopicFolder.Of(settings.SpillFolder, other), _ => 0) is > 0 and var waiting)
            {
                throw new StartRefusedException(
                    $"{waiting} acknowledged batches wait in the spill '{settings.SpillFolder}' for topic '{other}', and --topic is "
                    + $"'{topic}'. Start once with --topic {other} until /api/stats says that none is spilled, or name another directory "
                    + "with --data.");
            }
        }
    }

    private static long Waiting(string folder, Func<DurableQueue, long> done)
    {
        if (!Directory.Exists(folder))
            return 0;
        try
        {
            using var queue = DurableQueue.Open(new DurableQueueOptions { Directory = folder, MaxBytes = 1L << 50 });
            return queue.Durable - Math.Max(queue.Acked, done(queue));
        }
        catch (DurableQueueException refused)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }
}
