using System.Buffers;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// What a <see cref="ReceivedRecord"/> looks at: one record's message in librdkafka's memory, for the time of one call of the handler. Used
/// again for the next record; a handler that kept a record gets an error from it, never another record or freed memory.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The pieces of memory are not its own and have nothing to dispose of.")]
internal sealed unsafe class RecordView
{
    private readonly NativeBytes _key = new();
    private readonly NativeBytes _value = new();
    private LedgerPlace _place;
    private NativeMessage* _message;

    /// <summary>The number of the handler's call; records of earlier calls are void.</summary>
    public int Turn { get; private set; }

    public int Attempt { get; set; }

    public LedgerPlace Place => _place;

    public void Open(LedgerPlace place)
    {
        Debug.Assert(_message is null, "a view is closed before it is opened again");
        _place = place;
        _message = (NativeMessage*)place.Entry.Message;
        _key.Open(_message->Key, (int)_message->KeySize);
        _value.Open(_message->Value, (int)_message->ValueSize);
    }

    public void Close()
    {
        Turn++;
        _message = null;
        _key.Close();
        _value.Close();
    }

    public PartitionLedger Ledger(int turn) => Checked(turn)._place.Page.Ledger;

    public long Offset(int turn) => Checked(turn)._message->Offset;

    public int LeaderEpoch(int turn) => Checked(turn)._place.Entry.LeaderEpoch;

    public int AttemptOf(int turn) => Checked(turn).Attempt;

    public bool HasKey(int turn) => Checked(turn)._message->Key is not null;

    public bool HasValue(int turn) => Checked(turn)._message->Value is not null;

    public ReadOnlyMemory<byte> Key(int turn) => Checked(turn)._key.Memory;

    public ReadOnlyMemory<byte> Value(int turn) => Checked(turn)._value.Memory;

    public long TimestampMs(int turn)
    {
        int kind;
        return Librdkafka.MessageTimestamp(Checked(turn)._message, &kind);
    }

    public IReadOnlyList<RecordHeader> Headers(int turn)
    {
        var native = MessageHeaders.Of(Checked(turn)._message);
        if (native.Count == 0)
            return [];
        var headers = new RecordHeader[native.Count];
        for (var i = 0; i < headers.Length; i++)
        {
            // No conditional: its type would be that of the memory, which turns null into an empty one.
            ReadOnlyMemory<byte>? copy = null;
            if (native.Read(i, out var name, out var value))
                copy = value.ToArray();
            headers[i] = new RecordHeader(System.Text.Encoding.UTF8.GetString(name), copy);
        }
        return headers;
    }

    /// <summary>The last header of a name, in librdkafka's memory.</summary>
    public bool TryGetHeader(int turn, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        var native = MessageHeaders.Of(Checked(turn)._message);
        for (var i = native.Count - 1; i >= 0; i--)
        {
            native.Read(i, out var found, out value);
            if (found.SequenceEqual(name))
                return true;
        }
        value = default;
        return false;
    }

    private RecordView Checked(int turn) =>
        turn == Turn && _message is not null
            ? this
            : throw new InvalidOperationException("The record is gone: its handler has returned. Copy what has to outlive the handler.");

    /// <summary>A piece of native memory that can be closed under whoever kept it.</summary>
    private sealed class NativeBytes : MemoryManager<byte>
    {
        private byte* _start;
        private int _length;
        private bool _isOpen;

        public void Open(byte* start, int length)
        {
            _start = start;
            _length = length;
            _isOpen = true;
        }

        public void Close()
        {
            _isOpen = false;
            _start = null;
            _length = 0;
        }

        public override Span<byte> GetSpan() =>
            _isOpen
                ? new Span<byte>(_start, _length)
                : throw new InvalidOperationException(
                    "The record's memory is gone: its handler has returned. Copy what has to outlive the handler.");

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(elementIndex);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(elementIndex, GetSpan().Length);
            return new MemoryHandle(_start + elementIndex);
        }

        public override void Unpin()
        {
            // Native memory does not move.
        }

        protected override void Dispose(bool disposing) => Close();
    }
}
