using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// One client that sends straight to Kafka, until the first record that it cannot deliver: then it takes no more, and everything it has not
/// delivered comes back in order, with its callers. It never lets a record pass an earlier one of the same key.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "EndAsync is its end; a source without timer and wait handle holds nothing.")]
internal sealed class DirectPath : UndeliveredSink
{
    private readonly ReliableProducer _producer;
    private readonly Action _failed;
    private readonly CancellationTokenSource _hurry = new();
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<UndeliveredRecord> _givenBack = [];

    private volatile bool _hasFailed;

    /// <param name="options">For one client.</param>
    /// <param name="notices">Takes the client's notices.</param>
    /// <param name="failed">Called once it can send no more; short.</param>
    /// <exception cref="KafkaException">The client cannot be created.</exception>
    public DirectPath(ProducerOptions options, NoticeBoard notices, Action failed)
    {
        _failed = failed;
        _producer = new ReliableProducer(options, this);
        _producer.Noticed += (_, notice) => notices.Tell(notice);
    }

    public bool HasFailed => _hasFailed;

    public Backlog Backlog => _producer.Backlog;

    public ProducerCounters Counters => _producer.Counters;

    public ReliableProducer Producer => _producer;

    public override void Take(in UndeliveredRecord record)
    {
        lock (_gate)
            _givenBack.Add(record);
    }

    public override void Fail()
    {
        _hasFailed = true;
        _hurry.Cancel();
        _failed();
    }

    /// <summary>Ends the waiting of a drain.</summary>
    public void Hurry() => _hurry.Cancel();

    /// <summary>What it did not deliver, in the order in which it was accepted; all of it once the path has ended.</summary>
    public IReadOnlyList<UndeliveredRecord> GivenBack()
    {
        lock (_gate)
            return [.. _givenBack.OrderBy(record => record.Sequence)];
    }

    /// <summary>Takes no more records; when this ends, each has its outcome or is among those given back.</summary>
    /// <param name="atOnce">Purges; otherwise the producer's drain limits hold, as long as nothing fails.</param>
    public async Task EndAsync(bool atOnce)
    {
        if (atOnce)
            await _hurry.CancelAsync().ConfigureAwait(false);
        await _producer.DrainAsync(cancellationToken: _hurry.Token).ConfigureAwait(false);
        _ = _producer.DisposeAsync().AsTask();
    }
}
