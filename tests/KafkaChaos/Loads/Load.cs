using System.Diagnostics;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace KafkaChaos.Loads;

/// <summary>How much is sent.</summary>
/// <param name="Senders">Each has keys of its own, so that the order per key is known.</param>
/// <param name="RecordsASecond">In all.</param>
/// <param name="ValueBytes">A record's value.</param>
internal sealed record LoadShape(int Senders, int RecordsASecond, int ValueBytes = 200);

/// <summary>A load sends on without waiting for outcomes, as services do, and books each outcome when it comes.</summary>
internal sealed class Load(IRecordProducer producer, string topic, RecordBook book, LatencyLog latencies)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    private readonly byte[][] _keys = [.. Enumerable.Range(0, book.Keys).Select(key => Encoding.UTF8.GetBytes(RecordBook.KeyName(key)))];

    /// <summary>Sends at a steady rate until it is stopped; what was sent may have no outcome yet then.</summary>
    public Task RunAsync(LoadShape shape, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, shape.Senders).Select(sender => Task.Run(() => SendSteadilyAsync(shape, sender, stop), CancellationToken.None)));

    /// <summary>Sends the next record of a key.</summary>
    public Task SendNextAsync(int key, int valueBytes)
    {
        var page = book[key];
        var number = book.Begin(page);
        var begun = Stopwatch.GetTimestamp();
        var send = producer.SendAsync(topic, _keys[key], RecordBook.Value(number, valueBytes), null, CancellationToken.None);
        return BookAsync(send, page, number, begun);
    }

    private async Task SendSteadilyAsync(LoadShape shape, int sender, CancellationToken stop)
    {
        var start = Stopwatch.GetTimestamp();
        var own = Enumerable.Range(0, book.Keys).Where(key => key % shape.Senders == sender).ToArray();
        var sent = 0L;
        using var tick = new PeriodicTimer(Tick);
        while (!stop.IsCancellationRequested)
        {
            var due = (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * shape.RecordsASecond / shape.Senders);
            for (; sent < due; sent++)
                _ = SendNextAsync(own[sent % own.Length], shape.ValueBytes);
            await tick.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private async Task BookAsync(ValueTask<DeliveryOutcome> send, BookPage page, int number, long begun)
    {
        try
        {
            book.End(page, number, await send.ConfigureAwait(false));
            latencies.Add(begun, Stopwatch.GetTimestamp());
        }
        catch (Exception thrown)
        {
            // No send may throw: the verdict names it.
            book.EndThrown(page, number, thrown);
        }
    }
}
