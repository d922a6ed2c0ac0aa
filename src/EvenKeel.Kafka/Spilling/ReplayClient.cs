using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// A client that sends records of one lane, window after window. After the first that is not delivered it sends nothing more, and each of
/// the window still gets its outcome: what was not delivered was passed by no later record.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "EndAsync is its end; a source without timer and wait handle holds nothing.")]
internal sealed class ReplayClient : UndeliveredSink
{
    private readonly ReliableProducer _producer;
    private readonly PendingSendPool _sends;
    private readonly CancellationTokenSource _end = new();

    /// <exception cref="KafkaException">The client cannot be created.</exception>
    public ReplayClient(ProducerOptions options, NoticeBoard notices)
    {
        _sends = new PendingSendPool(options.MaxRecords, notices.TellThrown);
        _producer = new ReliableProducer(options, this);
        _producer.Noticed += (_, notice) => notices.Tell(notice);
    }

    /// <summary>Sends in order; ends when every record has its outcome.</summary>
    public async Task<DeliveryOutcome[]> SendAsync(IReadOnlyList<SpilledRecord> records)
    {
        var waits = new ValueTask<DeliveryOutcome>[records.Count];
        for (var i = 0; i < waits.Length; i++)
        {
            var record = records[i];
            var send = _sends.Rent();
            waits[i] = send.Task;
            var admission = _producer.Backlog.TryQueueBytes(record.Topic, record.Entry, record.Bytes.Span, send);
            if (admission != Admission.Queued)
                send.Answer(DeliveryOutcome.Refused(KafkaErrorCode.PurgedInQueue, $"The replaying client took no more: {admission}."));
        }
        var outcomes = new DeliveryOutcome[waits.Length];
        for (var i = 0; i < waits.Length; i++)
            outcomes[i] = await waits[i].ConfigureAwait(false);
        return outcomes;
    }

    /// <summary>Gives everything on its way its outcome now, by purging.</summary>
    public void Stop()
    {
        _end.Cancel();
        _ = _producer.DrainAsync(cancellationToken: _end.Token);
    }

    public override void Take(in UndeliveredRecord record) => record.Send.Answer(record.Outcome);

    public override void Fail() => Stop();

    /// <summary>Ends when every record has its outcome; nobody waits for librdkafka to take down its connections.</summary>
    public async Task EndAsync()
    {
        Stop();
        await _producer.DrainAsync().ConfigureAwait(false);
        _ = _producer.DisposeAsync().AsTask();
    }
}
