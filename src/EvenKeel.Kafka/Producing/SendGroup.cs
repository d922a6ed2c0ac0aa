using System.Diagnostics;

namespace EvenKeel.Kafka.Producing;

/// <summary>Where a record's bytes lie in its group: key, value and header block, one behind the other.</summary>
internal readonly record struct SendEntry(int Slot, int Offset, int KeyBytes, int ValueBytes, int HeaderBytes)
{
    /// <summary>Milliseconds since 1970; 0: now.</summary>
    public long TimestampMs { get; init; }

    public bool IsTombstone { get; init; }

    /// <summary>Nothing but a key and a value: many of these can go in one native call.</summary>
    public bool IsPlain => HeaderBytes == 0 && !IsTombstone && TimestampMs == 0;

    public int Bytes => KeyBytes + ValueBytes + HeaderBytes;
}

/// <summary>
/// Records on their way to the send loop, in order. Filled under the backlog's gate; then the send loop owns it until it is empty again.
/// </summary>
internal sealed class SendGroup
{
    private const int InitialBytes = 64 << 10;
    private const int KeptBytes = 4 << 20;

    private byte[] _bytes = new byte[InitialBytes];
    private int _length;

    public List<SendEntry> Entries { get; } = [];

    public ReadOnlySpan<byte> Key(in SendEntry entry) => _bytes.AsSpan(entry.Offset, entry.KeyBytes);

    public ReadOnlySpan<byte> Value(in SendEntry entry) => _bytes.AsSpan(entry.Offset + entry.KeyBytes, entry.ValueBytes);

    public ReadOnlySpan<byte> Headers(in SendEntry entry) =>
        _bytes.AsSpan(entry.Offset + entry.KeyBytes + entry.ValueBytes, entry.HeaderBytes);

    /// <summary>All records' bytes; <see cref="SendEntry.Offset"/> says where each one's begin.</summary>
    public ReadOnlySpan<byte> AllBytes => _bytes;

    public ReadOnlySpan<byte> Bytes(in SendEntry entry) => _bytes.AsSpan(entry.Offset, entry.Bytes);

    /// <summary>Copies a record in; the only copy before librdkafka's own.</summary>
    public void Add(int slot, scoped in OutgoingRecord record, int headerBytes)
    {
        var valueBytes = record.IsTombstone ? 0 : record.Value.Length;
        var room = Reserve(record.Key.Length + valueBytes + headerBytes, out var offset);
        record.Key.CopyTo(room);
        if (!record.IsTombstone)
            record.Value.CopyTo(room[record.Key.Length..]);
        if (headerBytes > 0)
            HeaderBlock.Write(record.Headers!, room[(record.Key.Length + valueBytes)..]);
        Entries.Add(new SendEntry(slot, offset, record.Key.Length, valueBytes, headerBytes)
        {
            TimestampMs = record.TimestampMs,
            IsTombstone = record.IsTombstone,
        });
    }

    /// <summary>Takes over a record that lay elsewhere, under another slot.</summary>
    public void Add(int slot, in SendEntry entry, ReadOnlySpan<byte> bytes)
    {
        Debug.Assert(bytes.Length == entry.Bytes, "an entry's bytes are its key, value and headers");
        bytes.CopyTo(Reserve(bytes.Length, out var offset));
        Entries.Add(entry with { Slot = slot, Offset = offset });
    }

    public void Clear()
    {
        Entries.Clear();
        _length = 0;
        if (_bytes.Length > KeptBytes)
            _bytes = new byte[InitialBytes];
    }

    private Span<byte> Reserve(int count, out int offset)
    {
        if (_bytes.Length - _length < count)
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(2L * _bytes.Length, (long)_length + count)));
        offset = _length;
        _length += count;
        return _bytes.AsSpan(offset, count);
    }
}
