using Confluent.Kafka;

namespace ProducerBench.Peers;

/// <summary>
/// Confluent.Kafka at its best: no task, one handler and one message for all sends, no field copied into the report, and a window of
/// our own, since waiting in its full queue is slower.
/// </summary>
internal sealed class ProducePeer : Peer
{
    private readonly BenchBroker _broker;
    private readonly bool _locked;
    private readonly IProducer<Null, byte[]> _producer;
    private readonly Message<Null, byte[]> _message;
    private readonly Action<DeliveryReport<Null, byte[]>> _handler;
    private readonly Window _window = new(Outstanding);
    private readonly Lock _gate = new();
    private volatile string? _failure;

    public ProducePeer(BenchBroker broker, TimeSpan linger, bool locked)
    {
        _broker = broker;
        _locked = locked;
        _message = new Message<Null, byte[]> { Value = Value };
        _producer =
            new ProducerBuilder<Null, byte[]>(new ProducerConfig(Settings(broker, linger)) { DeliveryReportFields = "none" }).Build();
        _handler = report =>
        {
            if (report.Error.IsError)
                _failure = report.Error.Reason;
            _window.Leave(1);
        };
    }

    public override long Delivered => _window.Left;

    public override async Task SendAsync(int threads, CancellationToken stop)
    {
        await Task.WhenAll(Enumerable.Range(0, threads).Select(_ => Task.Factory.StartNew(
            () => Work(stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        await _window.WaitUntilEmptyAsync();
        if (_failure is { } failure)
            throw NotDelivered(failure);
    }

    public override ValueTask DisposeAsync()
    {
        _producer.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Work(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            _window.Enter();
            if (!_locked)
            {
                _producer.Produce(_broker.Topic, _message, _handler);
                continue;
            }
            lock (_gate)
                _producer.Produce(_broker.Topic, _message, _handler);
        }
    }
}
