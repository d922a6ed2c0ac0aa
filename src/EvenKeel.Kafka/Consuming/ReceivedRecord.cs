using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// A record that was read. Key and value are librdkafka's own memory: valid until the handler's task ends, and an
/// <see cref="InvalidOperationException"/> after that. Copy what has to live longer.
/// </summary>
public readonly struct ReceivedRecord
{
    private readonly RecordView _view;
    private readonly int _turn;

    internal ReceivedRecord(RecordView view)
    {
        _view = view;
        _turn = view.Turn;
    }

    /// <summary>Where it was read.</summary>
    public TopicPartition Source => View.Ledger(_turn).Partition;

    /// <summary>Its topic.</summary>
    public string Topic => Source.Topic;

    /// <summary>Its partition.</summary>
    public int Partition => Source.Partition;

    /// <summary>Its place in the partition.</summary>
    public long Offset => View.Offset(_turn);

    /// <summary>The epoch of the leader it came from; -1 if the broker does not tell.</summary>
    public int LeaderEpoch => View.LeaderEpoch(_turn);

    /// <summary>The record's time, milliseconds since 1970; -1 if it has none.</summary>
    public long TimestampMs => View.TimestampMs(_turn);

    /// <summary>False: the key is null, which <see cref="Key"/> shows as empty.</summary>
    public bool HasKey => View.HasKey(_turn);

    /// <summary>The value is null, which deletes the key in a compacted topic; <see cref="Value"/> shows it as empty.</summary>
    public bool IsTombstone => !View.HasValue(_turn);

    /// <summary>The key; empty if there is none.</summary>
    public ReadOnlyMemory<byte> Key => View.Key(_turn);

    /// <summary>The value; empty if there is none.</summary>
    public ReadOnlyMemory<byte> Value => View.Value(_turn);

    /// <summary>The headers, copied; they may be kept.</summary>
    public IReadOnlyList<RecordHeader> Headers => View.Headers(_turn);

    /// <summary>Which try this is, from 1.</summary>
    public int Attempt => View.AttemptOf(_turn);

    /// <summary>
    /// The number under which this member owns the partition in the caller's <see cref="IOffsetStore"/>: a write for the record is valid
    /// only while the store still has it. 0 without a store.
    /// </summary>
    public long Fence => View.Ledger(_turn).Fence;

    internal RecordView View =>
        _view ?? throw new InvalidOperationException("This record is the default of its type; handlers are given real ones.");

    /// <summary>The last header of a name, without copying; its memory goes when the handler's task ends.</summary>
    /// <param name="name">The header's name.</param>
    /// <param name="value">Its bytes; empty for a null value.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetHeader(string name, out ReadOnlySpan<byte> value)
    {
        ArgumentNullException.ThrowIfNull(name);
        return View.TryGetHeader(_turn, Encoding.UTF8.GetBytes(name), out value);
    }

    /// <returns><c>topic[partition]@offset</c>.</returns>
    public override string ToString() => $"{Source}@{Offset}";
}

/// <summary>Records of one partition, in order, for one call of a batch handler; valid until its task ends.</summary>
public readonly struct ReceivedBatch
{
    private readonly RecordView[] _views;
    private readonly int _start;

    internal ReceivedBatch(RecordView[] views, int start, int count)
    {
        _views = views;
        _start = start;
        Count = count;
    }

    /// <summary>At least 1.</summary>
    public int Count { get; }

    /// <summary>Where all of them were read.</summary>
    public TopicPartition Source => this[0].Source;

    /// <summary>As <see cref="ReceivedRecord.Fence"/>.</summary>
    public long Fence => this[0].Fence;

    /// <summary>The offset after the last one: where to go on once all are done.</summary>
    public long NextOffset => this[Count - 1].Offset + 1;

    /// <summary>A record of the batch.</summary>
    /// <param name="index">From 0.</param>
    public ReceivedRecord this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return new ReceivedRecord(_views[_start + index]);
        }
    }
}

/// <summary>
/// Does the work of one record. The record is done when the task ends without an exception; its offset can be committed from then on.
/// </summary>
/// <param name="record">Valid until the task ends.</param>
/// <param name="cancellationToken">
/// The partition is taken away, or the consumer stops, and the time for it is over: what is not done by now is handled again elsewhere.
/// </param>
public delegate ValueTask RecordHandler(ReceivedRecord record, CancellationToken cancellationToken);

/// <summary>Does the work of several records of one partition at once; all are done when the task ends without an exception.</summary>
/// <param name="batch">Valid until the task ends.</param>
/// <param name="cancellationToken">As for <see cref="RecordHandler"/>.</param>
public delegate ValueTask BatchHandler(ReceivedBatch batch, CancellationToken cancellationToken);
