using System.Buffers.Binary;
using System.Text;
using EvenKeel.Kafka.Producing;
using EvenKeel.Queue;

namespace EvenKeel.Kafka.Spilling;

/// <summary>A record that Kafka refused for good after it had been acknowledged from disk.</summary>
/// <param name="Topic">Where it was to go.</param>
/// <param name="Key">Empty: no key.</param>
/// <param name="Value">Null: a tombstone.</param>
/// <param name="Headers">In their order, the record id among them.</param>
/// <param name="TimestampMs">The record's time, milliseconds since 1970.</param>
/// <param name="Error">Why Kafka refused it.</param>
/// <param name="Reason">The same for people.</param>
public sealed record DeadLetter(
    string Topic, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<RecordHeader> Headers, long TimestampMs,
    KafkaErrorCode Error, string Reason);

/// <summary>
/// The durable queue beside the spill for records that can never be sent: kept until somebody removes them. Its lock is the whole spill's.
/// </summary>
internal sealed class DeadLetterBox : IDisposable
{
    private const int HeadBytes = 8;
    private const int ReadBytes = 16 << 20;
    private readonly DurableQueue _queue;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly QueueReader _reader;
    private long _removed;

    public DeadLetterBox(DurableQueue queue)
    {
        _queue = queue;
        _reader = queue.OpenReader("dead-letters");
        _removed = _reader.Position;
    }

    public long Count
    {
        get
        {
            lock (_gate)
                return _queue.Durable - _removed;
        }
    }

    public long Bytes => _queue.Bytes;

    /// <summary>Ends when the letter is durable.</summary>
    /// <exception cref="QueueRefusedException">The disk does not take it.</exception>
    public async Task KeepAsync(ReadOnlyMemory<byte> payload, DeliveryOutcome outcome)
    {
        var reason = Encoding.UTF8.GetBytes(outcome.Reason ?? "");
        var head = new byte[HeadBytes + reason.Length];
        BinaryPrimitives.WriteInt32LittleEndian(head, (int)outcome.Error);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(sizeof(int)), reason.Length);
        reason.CopyTo(head, HeadBytes);
        await _queue.AppendAsync(head, payload.Span).ConfigureAwait(false);
    }

    /// <summary>The oldest letters; one that the disk damaged, or that is not a record, is left out.</summary>
    public IReadOnlyList<DeadLetter> Read(int max)
    {
        lock (_gate)
        {
            _reader.Seek(_removed);
            var letters = new List<DeadLetter>();
            while (letters.Count < max && _reader.TryRead(max - letters.Count, ReadBytes) is { } batch)
                letters.AddRange(batch.Records.Select(record => Parse(record.Payload.ToArray())).OfType<DeadLetter>());
            return letters;
        }
    }

    /// <summary>Removes the oldest letters, those that cannot be read included.</summary>
    public void Remove(long count)
    {
        lock (_gate)
        {
            var end = Math.Min(_queue.Durable, _removed + count);
            _reader.Seek(end);
            _reader.Acknowledge(end);
            _removed = end;
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        _queue.Dispose();
    }

    private static DeadLetter? Parse(ReadOnlyMemory<byte> letter)
    {
        var error = (KafkaErrorCode)BinaryPrimitives.ReadInt32LittleEndian(letter.Span);
        var reasonBytes = BinaryPrimitives.ReadInt32LittleEndian(letter.Span[sizeof(int)..]);
        var reason = Encoding.UTF8.GetString(letter.Span.Slice(HeadBytes, reasonBytes));
        var payload = letter[(HeadBytes + reasonBytes)..];
        if (!SpilledRecord.TryRead(payload, out var record))
            return new DeadLetter("", default, payload, [], 0, error, reason);
        var (entry, bytes) = (record.Value.Entry, record.Value.Bytes);
        return new DeadLetter(
            record.Value.Topic, bytes[..entry.KeyBytes], entry.IsTombstone ? null : bytes.Slice(entry.KeyBytes, entry.ValueBytes),
            HeaderBlock.Read(bytes.Span[(entry.KeyBytes + entry.ValueBytes)..]), entry.TimestampMs, error, reason);
    }
}
