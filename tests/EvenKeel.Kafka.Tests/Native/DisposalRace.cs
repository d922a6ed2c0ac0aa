using EvenKeel.Kafka.Native;
using Xunit;

namespace EvenKeel.Kafka.Tests.Native;

/// <summary>One client that eight threads send through, one thread polls, and one disposes of in their midst.</summary>
internal sealed class DisposalRace(ClientHandle client, string topicName)
{
    private const int Senders = 8;
    private long _queued;
    private long _reported;
    private int _refused;

    public long Queued => Volatile.Read(ref _queued);

    /// <summary>Reports that the poll loop took.</summary>
    public long Reported => Volatile.Read(ref _reported);

    /// <summary>Reports that came from the disposal.</summary>
    public long Purged { get; private set; }

    public int Refused => _refused;

    public async Task RunAsync(int reportsBeforeDisposal)
    {
        var queue = EventQueue.Main(client);
        var topic = client.Topic(topicName);
        var threads = Enumerable.Range(0, Senders).Select(_ => OnThread(() => SendUntilRefused(topic)))
            .Append(OnThread(() => PollUntilRefused(queue)))
            .ToArray();
        await TestClients.Until(() => Queued > 0 && Reported >= reportsBeforeDisposal, () => $"{Queued} queued, {Reported} reported");

        await client.CloseAsync(DestroyOptions.None, reports => Purged += reports.Length).WaitAsync(TestClients.Deadline);
        await Task.WhenAll(threads).WaitAsync(TestClients.Deadline);
    }

    private static Task OnThread(Action action) =>
        Task.Factory.StartNew(action, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void SendUntilRefused(TopicHandle topic)
    {
        var value = new byte[100];
        try
        {
            while (true)
            {
                if (client.Produce(topic, SpecialOffset.AnyPartition, value, "key"u8, 1) == KafkaErrorCode.None)
                    Interlocked.Increment(ref _queued);
            }
        }
        catch (ObjectDisposedException)
        {
            Interlocked.Increment(ref _refused);
        }
    }

    private void PollUntilRefused(EventQueue queue)
    {
        var messages = new nint[512];
        while (!client.IsClosed)
        {
            try
            {
                using var next = queue.Poll(TimeSpan.FromSeconds(10));
                int taken;
                while (next.Kind == EventKinds.DeliveryReport && (taken = next.TakeMessages(messages)) > 0)
                    Interlocked.Add(ref _reported, taken);
            }
            catch (ObjectDisposedException)
            {
                Assert.True(client.IsClosed);
            }
        }
    }
}
