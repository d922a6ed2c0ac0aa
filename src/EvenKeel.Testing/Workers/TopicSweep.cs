using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;

namespace EvenKeel.Testing.Workers;

/// <summary>
/// The topic sweep deletes topics from a real broker: this run's at its end, and at its start those of runs that died before they could.
/// </summary>
internal sealed class TopicSweep(TestRun run, TestCluster cluster)
{
    private const int AtOnce = 16;
    private static readonly TimeSpan ListWait = TimeSpan.FromSeconds(10);

    /// <summary>Deletes the topics of the runs that are stale.</summary>
    public async Task RunAsync(Func<string, bool> isStale)
    {
        var listed = await Task.Run(Listed).ConfigureAwait(false);
        await DeleteAllAsync([.. listed.Where(topic =>
            RunId.TryOfTopic(run.Options.NamePrefix, topic, out var owner) && isStale(owner.Text))]).ConfigureAwait(false);
    }

    /// <summary>Deletes the topics, all of them if it can; those that are gone already are no error.</summary>
    /// <exception cref="AggregateException">Some could not be deleted.</exception>
    public async Task DeleteAllAsync(IReadOnlyCollection<string> topics)
    {
        var failures = new List<Exception>();
        foreach (var group in topics.Chunk(AtOnce))
        {
            var deletions = Task.WhenAll(group.Select(topic => DeleteAsync(topic)));
            await deletions.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            failures.AddRange(deletions.Exception?.InnerExceptions ?? []);
        }
        if (failures.Count > 0)
            throw new AggregateException(failures);
    }

    private async Task DeleteAsync(string topic)
    {
        try
        {
            await cluster.Broker.DeleteTopicAsync(topic).ConfigureAwait(false);
        }
        catch (KafkaException gone) when (gone.Code == KafkaErrorCode.UnknownTopicOrPartition)
        {
            // Deleted by its test, or by another process that swept at the same time: what was wanted.
            return;
        }
    }

    private string[] Listed()
    {
        using var configuration = new ClientConfiguration()
            .Set("client.id", "evenkeel-testing-sweep").Set("bootstrap.servers", cluster.BootstrapServers).Set("log_level", "0");
        var client = CreationGate.Create(ClientKind.Producer, configuration, EventKinds.None);
        try
        {
            return [.. client.Metadata(null, ListWait).Topics.Select(topic => topic.Name)];
        }
        finally
        {
            run.InBackground(client.CloseAsync(DestroyOptions.None), "Closing the client that listed topics");
        }
    }
}
