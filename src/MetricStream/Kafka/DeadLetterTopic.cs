using System.Globalization;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>The topic of records that the store refuses for good, each with the reason and the place it came from.</summary>
internal sealed partial class DeadLetterTopic(KafkaOptions options, TopicSurvey survey, ILogger log) : IAsyncDisposable
{
    private const int MaxReason = 1000;

    // Most servers never need it.
    private readonly Lazy<ReliableProducer> _producer = new(() => new ReliableProducer(options.LetterProducer()));

    private bool _isThere;

    /// <summary>Ends when all of them are in the topic.</summary>
    /// <param name="batch">What they were read with.</param>
    /// <param name="letters">Records of it, with the reasons.</param>
    /// <param name="stop">The partition was given up.</param>
    /// <exception cref="KafkaException">One is not; nothing may be written as if it were.</exception>
    public async Task KeepAsync(ReceivedBatch batch, IReadOnlyList<DueLetter> letters, CancellationToken stop)
    {
        if (!_isThere)
            await survey.EnsureTopicAsync(options.DeadLetters, stop);
        _isThere = true;
        var reasons = letters.ToDictionary(letter => letter.Record.Position);
        for (var i = 0; i < batch.Count; i++)
        {
            if (!reasons.TryGetValue(batch[i].Offset, out var letter))
                continue;
            var outcome = await SendAsync(batch[i], letter, stop);
            if (outcome.Status != DeliveryStatus.Delivered)
            {
                throw new KafkaException(outcome.Error,
                    $"The dead letter of {batch[i]} did not get into topic '{options.DeadLetters}': {outcome.Status}, {outcome.Reason} "
                    + "Nothing behind it is stored until it does.");
            }
            LogLetter(batch[i].ToString(), options.DeadLetters, letter.Reason);
        }
    }

    public ValueTask DisposeAsync() => _producer.IsValueCreated ? _producer.Value.DisposeAsync() : ValueTask.CompletedTask;

    private ValueTask<DeliveryOutcome> SendAsync(in ReceivedRecord record, in DueLetter letter, CancellationToken stop)
    {
        var headers = record.Headers.Where(header => header.Name != SpillingProducer.RecordIdHeader).ToList();
        headers.AddRange(
        [
            // Under its id it is known again when it is sent back.
            new RecordHeader(SpillingProducer.RecordIdHeader, letter.Record.Id.ToArray()),
            RecordHeader.Of(DeadLetterHeaders.Topic, record.Topic),
            RecordHeader.Of(DeadLetterHeaders.Partition, Number(record.Partition)),
            RecordHeader.Of(DeadLetterHeaders.Offset, Number(record.Offset)),
            RecordHeader.Of(DeadLetterHeaders.TimestampMs, Number(record.TimestampMs)),
            RecordHeader.Of(DeadLetterHeaders.Group, StoreMember.Group),
            RecordHeader.Of(DeadLetterHeaders.Attempts, Number(1)),
            RecordHeader.Of(DeadLetterHeaders.Reason, letter.Reason.Length <= MaxReason ? letter.Reason : letter.Reason[..MaxReason]),
        ]);
        return _producer.Value.SendAsync(
            new OutgoingRecord(options.DeadLetters, record.Key.Span, record.Value.Span)
            {
                IsTombstone = record.IsTombstone,
                Headers = headers,
            },
            stop);
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    [LoggerMessage(251, LogLevel.Warning, "{Record} cannot be stored and is in topic '{Topic}' now: {Reason}")]
    private partial void LogLetter(string record, string topic, string reason);
}
