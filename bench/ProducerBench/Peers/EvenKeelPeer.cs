using EvenKeel.Kafka.Producing;

namespace ProducerBench.Peers;

/// <summary>Ours: each worker awaits its oldest send before it makes another.</summary>
internal sealed class EvenKeelPeer(BenchBroker broker, TimeSpan linger) : Peer
{
    private readonly PaddedCount[] _delivered = new PaddedCount[64];
    private readonly ReliableProducer _producer = new(new ProducerOptions { BootstrapServers = broker.BootstrapServers, Linger = linger });

    public override long Delivered => _delivered.Sum(count => count.Value);

    public override Task SendAsync(int threads, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, threads).Select(worker => Task.Run(() => WorkAsync(worker, Outstanding / threads, stop), stop)));

    public async ValueTask SendOneAsync() =>
        ThrowUnlessDelivered(await _producer.SendAsync(new OutgoingRecord(broker.Topic, default, Value)));

    public override ValueTask DisposeAsync() => _producer.DisposeAsync();

    private static void ThrowUnlessDelivered(in DeliveryOutcome outcome)
    {
        if (!outcome.IsDelivered)
            throw NotDelivered($"{outcome.Status}, {outcome.Reason}");
    }

    private async Task WorkAsync(int worker, int window, CancellationToken stop)
    {
        var sends = new ValueTask<DeliveryOutcome>[window];
        var sent = 0L;
        for (; !stop.IsCancellationRequested; sent++)
        {
            if (sent >= window)
            {
                ThrowUnlessDelivered(await sends[sent % window]);
                _delivered[worker].Value++;
            }
#pragma warning disable CA2012 // Awaited once, when the ring comes round.
            sends[sent % window] = _producer.SendAsync(new OutgoingRecord(broker.Topic, default, Value), CancellationToken.None);
#pragma warning restore CA2012
        }
        for (var left = Math.Max(0, sent - window); left < sent; left++)
        {
            ThrowUnlessDelivered(await sends[left % window]);
            _delivered[worker].Value++;
        }
    }
}
