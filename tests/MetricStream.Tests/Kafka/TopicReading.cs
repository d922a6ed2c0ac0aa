using System.Text;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Testing.Cluster;
using Xunit;

namespace MetricStream.Tests.Kafka;

/// <summary>Reads what a topic has, as any consumer would.</summary>
internal static class TopicReading
{
    public static async Task<IReadOnlyList<TopicMessage>> ReadAsync(IBroker broker, string topic, int count)
    {
        var messages = new List<TopicMessage>();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = new ConsumerOptions
        {
            BootstrapServers = broker.BootstrapServers,
            GroupId = "reader-" + Guid.NewGuid().ToString("n"),
            Topics = [topic],
            Properties = new Dictionary<string, string> { ["fetch.wait.max.ms"] = "10", ["topic.metadata.refresh.interval.ms"] = "200" },
        };
        await using var consumer = new ReliableConsumer(options, (record, _) =>
        {
            messages.Add(new TopicMessage(
                Encoding.UTF8.GetString(record.Key.Span), Encoding.UTF8.GetString(record.Value.Span),
                record.Headers.ToDictionary(header => header.Name, header => Encoding.UTF8.GetString(header.Value.GetValueOrDefault().Span))));
            if (messages.Count >= count)
                enough.TrySetResult();
            return ValueTask.CompletedTask;
        });
        await enough.Task.WaitAsync(KafkaServerRun.Deadline, TestContext.Current.CancellationToken);
        return messages;
    }
}

internal sealed record TopicMessage(string Key, string Value, IReadOnlyDictionary<string, string> Headers);
