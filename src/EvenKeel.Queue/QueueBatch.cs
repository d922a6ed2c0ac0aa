namespace EvenKeel.Queue;

/// <summary>A record as it was appended. <see cref="Payload"/> is valid until the next read of the same reader.</summary>
/// <param name="Sequence">Its number in the log; consecutive from 0 on.</param>
/// <param name="Payload">Its bytes.</param>
public readonly record struct QueueRecord(long Sequence, ReadOnlyMemory<byte> Payload);

/// <summary>A stretch of the log that could not be read.</summary>
/// <param name="Segment">File name of the segment.</param>
/// <param name="Offset">Byte offset in it; the segment's length when records are missing at its end.</param>
/// <param name="Bytes">Bytes damaged; 0 when they are missing altogether.</param>
/// <param name="FirstSequence">Sequence of the first record lost.</param>
/// <param name="Records">Records lost; they count as quarantined.</param>
public sealed record QueueDamage(string Segment, long Offset, long Bytes, long FirstSequence, long Records);

/// <summary>
/// What one read gave: records in order, and what was damaged between them. It belongs to its reader and is valid until the next read.
/// </summary>
public sealed class QueueBatch
{
    private readonly List<QueueRecord> _records = [];
    private readonly List<QueueDamage> _damage = [];

    internal QueueBatch()
    {
    }

    /// <summary>The records, in order of their sequence.</summary>
    public IReadOnlyList<QueueRecord> Records => _records;

    /// <summary>Damage met on the way; empty on a sound disk.</summary>
    public IReadOnlyList<QueueDamage> Damage => _damage;

    /// <summary>Records lost to the damage.</summary>
    public long Quarantined { get; private set; }

    /// <summary>The position after this batch: what to acknowledge when it is done.</summary>
    public long NextPosition { get; internal set; }

    internal int PayloadBytes { get; private set; }

    internal bool IsEmpty => _records.Count == 0 && _damage.Count == 0;

    internal void Clear()
    {
        _records.Clear();
        _damage.Clear();
        Quarantined = 0;
        PayloadBytes = 0;
    }

    internal void Add(long sequence, ReadOnlyMemory<byte> payload)
    {
        _records.Add(new QueueRecord(sequence, payload));
        PayloadBytes += payload.Length;
    }

    internal void Add(QueueDamage damage)
    {
        _damage.Add(damage);
        Quarantined += damage.Records;
    }
}
