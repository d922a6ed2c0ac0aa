using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Testing.Cluster;

namespace EvenKeel.Testing.Workers;

/// <summary>
/// The broker sweep deletes topics and groups from a real broker: this run's at its end, and at its start those of runs that died before
/// they could.
/// </summary>
internal sealed class BrokerSweep(TestRun run, ExternalBroker broker)
{
    private const int AtOnce = 16;

    // A service that the last test has just stopped may still be on its way out of its group.
    private static readonly TimeSpan LeavingWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LeavingPause = TimeSpan.FromMilliseconds(20);

    /// <summary>Deletes the topics and groups of the runs that are stale.</summary>
    /// <exception cref="AggregateException">Some could not be deleted; all others are.</exception>
    public async Task RunAsync(Func<string, bool> isStale)
    {
        var prefix = run.Options.NamePrefix;
        var groups = (await broker.ListGroupsAsync().ConfigureAwait(false))
            .Where(group => RunId.TryOfGroup(prefix, group, out var owner) && isStale(owner.Text));
        var topics = (await broker.ListTopicsAsync().ConfigureAwait(false))
            .Where(topic => RunId.TryOfTopic(prefix, topic, out var owner) && isStale(owner.Text));
        await DeleteAllAsync([.. topics], [.. groups]).ConfigureAwait(false);
    }

    /// <summary>Deletes them, all that it can; those that are gone already are no error.</summary>
    /// <exception cref="AggregateException">Some could not be deleted.</exception>
    public async Task DeleteAllAsync(IReadOnlyCollection<string> topics, IReadOnlyCollection<string> groups)
    {
        var failures = new List<Exception>();
        IEnumerable<Func<Task>> deletions =
            [.. groups.Select<string, Func<Task>>(group => () => DeleteGroupAsync(group)),
            .. topics.Select<string, Func<Task>>(topic => () => DeleteTopicAsync(topic))];
        foreach (var some in deletions.Chunk(AtOnce))
        {
            var deleting = Task.WhenAll(some.Select(delete => delete()));
            await deleting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            failures.AddRange(deleting.Exception?.InnerExceptions ?? []);
        }
        if (failures.Count > 0)
            throw new AggregateException(failures);
    }

    private async Task DeleteTopicAsync(string topic)
    {
        try
        {
            await broker.DeleteTopicAsync(topic).ConfigureAwait(false);
        }
        catch (KafkaException gone) when (gone.Code == KafkaErrorCode.UnknownTopicOrPartition)
        {
            // Deleted by its test, or by another process that swept at the same time: what was wanted.
            return;
        }
    }

    private async Task DeleteGroupAsync(string group)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await broker.DeleteGroupAsync(group).ConfigureAwait(false);
                return;
            }
            catch (KafkaException gone) when (gone.Code == KafkaErrorCode.GroupNotFound)
            {
                // Nobody ever joined it, or another process swept at the same time: what was wanted.
                return;
            }
            catch (KafkaException held) when (held.Code == KafkaErrorCode.GroupNotEmpty && Stopwatch.GetElapsedTime(start) < LeavingWait)
            {
                await Task.Delay(LeavingPause, run.Options.Time).ConfigureAwait(false);
            }
        }
    }
}
