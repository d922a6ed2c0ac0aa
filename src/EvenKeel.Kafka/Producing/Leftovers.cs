using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Producing;

/// <summary>A record that a drain did not deliver, with its outcome: what to do with it is its owner's decision again.</summary>
/// <param name="Topic">Where it was to go.</param>
/// <param name="Key">Empty: no key.</param>
/// <param name="Value">Null: a tombstone.</param>
/// <param name="Headers">In their order.</param>
/// <param name="Outcome">Refused (safe to send again) or unknown.</param>
public sealed record LeftoverRecord(
    string Topic, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<RecordHeader> Headers, DeliveryOutcome Outcome);

/// <summary>Keeps the undelivered records of a drain for whoever asked for them, and nothing otherwise. Any thread.</summary>
internal sealed class Leftovers
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<LeftoverRecord> _records = [];

    private volatile bool _isKeeping;

    public bool IsKeeping => _isKeeping;

    public void StartKeeping() => _isKeeping = true;

    public void Add(string topic, in SendEntry entry, ReadOnlySpan<byte> bytes, in DeliveryOutcome outcome)
    {
        var copy = bytes.ToArray();
        ReadOnlyMemory<byte>? value = entry.IsTombstone ? null : copy.AsMemory(entry.KeyBytes, entry.ValueBytes);
        var headers = HeaderBlock.Read(copy.AsSpan(entry.KeyBytes + entry.ValueBytes));
        lock (_gate)
            _records.Add(new LeftoverRecord(topic, copy.AsMemory(0, entry.KeyBytes), value, headers, outcome));
    }

    public IReadOnlyList<LeftoverRecord> Take()
    {
        lock (_gate)
            return [.. _records];
    }
}

/// <summary>Reads a record back from the report on it: until then librdkafka is the only owner of its bytes.</summary>
internal static unsafe class ReportedRecord
{
    public static SendEntry Read(NativeMessage* report, int slot, out byte[] bytes)
    {
        var headers = MessageHeaders.Of(report);
        var headerList = new List<RecordHeader>(headers.Count);
        for (var i = 0; i < headers.Count; i++)
        {
            var hasValue = headers.Read(i, out var name, out var value);
            headerList.Add(new RecordHeader(System.Text.Encoding.UTF8.GetString(name), hasValue ? value.ToArray() : null));
        }
        var keyBytes = (int)report->KeySize;
        var valueBytes = (int)report->ValueSize;
        var headerBytes = HeaderBlock.Measure(headerList);
        bytes = new byte[keyBytes + valueBytes + headerBytes];
        new ReadOnlySpan<byte>(report->Key, keyBytes).CopyTo(bytes);
        new ReadOnlySpan<byte>(report->Value, valueBytes).CopyTo(bytes.AsSpan(keyBytes));
        HeaderBlock.Write(headerList, bytes.AsSpan(keyBytes + valueBytes));
        int kind;
        return new SendEntry(slot, 0, keyBytes, valueBytes, headerBytes)
        {
            TimestampMs = Math.Max(0, Librdkafka.MessageTimestamp(report, &kind)),
            IsTombstone = report->Value is null,
        };
    }
}
