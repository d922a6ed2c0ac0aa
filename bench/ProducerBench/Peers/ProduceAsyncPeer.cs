using Confluent.Kafka;

namespace ProducerBench.Peers;

/// <summary>Confluent.Kafka's awaited sends, in the same shape as ours.</summary>
internal sealed class ProduceAsyncPeer(BenchBroker broker, TimeSpan linger) : Peer
{
    private readonly PaddedCount[] _delivered = new PaddedCount[64];
    private readonly IProducer<Null, byte[]> _producer =
        new ProducerBuilder<Null, byte[]>(new ProducerConfig(Settings(broker, linger))).Build();

    public override long Delivered => _delivered.Sum(count => count.Value);

    public override Task SendAsync(int threads, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, threads).Select(worker => Task.Run(() => WorkAsync(worker, Outstanding / threads, stop), stop)));

    public async ValueTask SendOneAsync() => await _producer.ProduceAsync(broker.Topic, new Message<Null, byte[]> { Value = Value });

    public override ValueTask DisposeAsync()
    {
        _producer.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task WorkAsync(int worker, int window, CancellationToken stop)
    {
        var sends = new Task<DeliveryResult<Null, byte[]>>[window];
        var sent = 0L;
        for (; !stop.IsCancellationRequested; sent++)
        {
            if (sent >= window)
            {
                await sends[sent % window];
                _delivered[worker].Value++;
            }
            sends[sent % window] = _producer.ProduceAsync(
                broker.Topic, new Message<Null, byte[]> { Value = Value }, CancellationToken.None);
        }
        for (var left = Math.Max(0, sent - window); left < sent; left++)
        {
            await sends[left % window];
            _delivered[worker].Value++;
        }
    }
}
