using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace ProducerBench.Peers;

/// <summary>
/// The limit: rd_kafka_produce called in a loop, and the reports counted an event at a time, without gate, credits, outcomes or awaits.
/// </summary>
internal sealed class BareLoopPeer : Peer
{
    private readonly ClientHandle _client;
    private readonly nint _topic;
    private readonly Window _window = new(Outstanding);
    private readonly Thread _reports;
    private readonly int? _threads;
    private volatile bool _ended;
    private volatile string? _failure;

    /// <param name="broker">Where to.</param>
    /// <param name="linger">As of the others.</param>
    /// <param name="threads">Null: as many as are asked for.</param>
    public BareLoopPeer(BenchBroker broker, TimeSpan linger, int? threads)
    {
        _threads = threads;
        using var configuration = new ClientConfiguration();
        foreach (var (name, value) in Settings(broker, linger))
            configuration.Set(name, value);
        _client = CreationGate.Create(ClientKind.Producer, configuration, EventKinds.DeliveryReport);
        _topic = _client.Topic(broker.Topic).Pointer;
        using var call = _client.Enter();
        var client = call.Client;
        _reports = new Thread(() => TakeReports(client)) { IsBackground = true, Name = "bare reports" };
        _reports.Start();
    }

    public override long Delivered => _window.Left;

    public override async Task SendAsync(int threads, CancellationToken stop)
    {
        await Task.WhenAll(Enumerable.Range(0, _threads ?? threads).Select(_ => Task.Factory.StartNew(
            () => Work(stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        await _window.WaitUntilEmptyAsync();
        if (_failure is { } failure)
            throw NotDelivered(failure);
    }

    public override async ValueTask DisposeAsync()
    {
        _ended = true;
        _reports.Join();
        await _client.DisposeAsync();
    }

    private unsafe void Work(CancellationToken stop)
    {
        fixed (byte* value = Value)
        {
            while (!stop.IsCancellationRequested)
            {
                _window.Enter();
                if (Librdkafka.Produce(_topic, SpecialOffset.AnyPartition, MessageFlags.Copy, value, ValueBytes, null, 0, 0) != 0)
                    throw NotDelivered(Librdkafka.LastError().Describe());
            }
        }
    }

    private unsafe void TakeReports(nint client)
    {
        const int Batch = 1024;
        var messages = stackalloc NativeMessage*[Batch];
        var queue = Librdkafka.QueueGetMain(client);
        while (!_ended)
        {
            var next = Librdkafka.QueuePoll(queue, 100);
            if (next == 0)
                continue;
            int taken, total = 0;
            while (Librdkafka.EventType(next) == EventKinds.DeliveryReport
                && (taken = (int)Librdkafka.EventMessageArray(next, messages, Batch)) > 0)
            {
                for (var i = 0; i < taken; i++)
                {
                    if (messages[i]->Error != KafkaErrorCode.None)
                        _failure = messages[i]->Error.Describe();
                }
                total += taken;
            }
            Librdkafka.EventDestroy(next);
            _window.Leave(total);
        }
        Librdkafka.QueueDestroy(queue);
    }
}
