using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace MetricStream.Queueing;

/// <summary>
/// Walks the metrics of a body that intake has validated, without an object graph: one series key, value and time per metric.
/// Spans are good until the next <see cref="Read"/>. Dispose gives the scratch buffer back.
/// A body that intake would have refused makes it throw <see cref="JsonException"/>, never read something invented.
/// </summary>
internal ref struct BatchReader
{
    private readonly ReadOnlySpan<byte> _body;
    private Utf8JsonReader _json;
    private long _defaultUnixMs;
    private bool _started;
    private bool _ended;

    // Unescaped texts of the current metric, then its series key.
    private byte[] _scratch = [];
    private int _scratchUsed;
    private Slice _name;
    private TagSlots _tags;
    private int _tagCount;
    private int _keyStart;
    private int _keyLength;

    /// <param name="body">The body as it lies in the record, without a byte order mark.</param>
    /// <param name="arrivedUnixMs">The time of metrics where neither they nor the batch carry one.</param>
    public BatchReader(ReadOnlySpan<byte> body, long arrivedUnixMs)
    {
        _body = body;
        _defaultUnixMs = arrivedUnixMs;
        _json = new Utf8JsonReader(body, BatchMembers.JsonOptions);
    }

    /// <summary>Type, name and sorted tags of the current metric: see <see cref="Queueing.SeriesKey"/>.</summary>
    public readonly ReadOnlySpan<byte> SeriesKey => _scratch.AsSpan(_keyStart, _keyLength);

    public double Value { get; private set; }

    /// <summary>The metric's own timestamp, else the batch's, else the arrival.</summary>
    public long TimestampUnixMs { get; private set; }

    /// <summary>Moves to the next metric. False when there is none left.</summary>
    public bool Read()
    {
        if (_ended)
            return false;
        if (!_started)
            Start();
        Advance();
        if (_json.TokenType == JsonTokenType.EndArray)
        {
            _ended = true;
            return false;
        }

        Expect(JsonTokenType.StartObject);
        ReadMetric();
        return true;
    }

    public void Dispose()
    {
        if (_scratch.Length > 0)
            ArrayPool<byte>.Shared.Return(_scratch);
        _scratch = [];
        _keyStart = _keyLength = 0;
        _ended = true;
    }

    // Leaves the reader at the start of the metrics array with the batch's timestamp known, wherever in the object that stands.
    private void Start()
    {
        _started = true;
        Advance();
        Expect(JsonTokenType.StartObject);
        var metrics = default(Utf8JsonReader);
        var found = false;
        while (Advance() == JsonTokenType.PropertyName)
        {
            var member = BatchMembers.OfBatch(ref _json);
            Advance();
            if (member == BatchMember.BatchTimestamp)
            {
                if (!MetricTimestamp.TryRead(ref _json, out _defaultUnixMs))
                    throw new JsonException("The batch_timestamp is no timestamp: intake refuses such a body.");
                if (found)
                    break;
            }
            else if (member == BatchMember.Metrics)
            {
                Expect(JsonTokenType.StartArray);
                metrics = _json;
                found = true;
                // A second walk over the metrics only where a batch_timestamp may follow them; an escape may hide its name.
                var rest = _body[(int)_json.BytesConsumed..];
                if (rest.IndexOf("batch_timestamp"u8) < 0 && !rest.Contains((byte)'\\'))
                    break;
                _json.Skip();
            }
            else
            {
                _json.Skip();
            }
        }

        if (!found)
            throw new JsonException("The batch has no metrics: intake refuses such a body.");
        _json = metrics;
    }

    private void ReadMetric()
    {
        TimestampUnixMs = _defaultUnixMs;
        _scratchUsed = 0;
        _tagCount = 0;
        _name = default;
        MetricType type = default;
        var hasValue = false;
        while (Advance() == JsonTokenType.PropertyName)
        {
            var member = BatchMembers.OfMetric(ref _json);
            Advance();
            var valid = true;
            switch (member)
            {
                case MetricMember.Name:
                    Expect(JsonTokenType.String);
                    _name = Text();
                    break;
                case MetricMember.Type:
                    Expect(JsonTokenType.String);
                    valid = BatchMembers.TryReadType(ref _json, out type);
                    break;
                case MetricMember.Value:
                    Expect(JsonTokenType.Number);
                    hasValue = valid = _json.TryGetDouble(out var value);
                    Value = value;
                    break;
                case MetricMember.Timestamp:
                    valid = MetricTimestamp.TryRead(ref _json, out var unixMs);
                    TimestampUnixMs = unixMs;
                    break;
                case MetricMember.Tags:
                    Expect(JsonTokenType.StartObject);
                    ReadTags();
                    break;
                case MetricMember.Unknown:
                default:
                    _json.Skip();
                    break;
            }

            if (!valid)
                throw new JsonException($"The {member} of a metric is not valid: intake refuses such a body.");
        }

        if (_name.Length == 0 || type == default || !hasValue)
            throw new JsonException("A metric lacks its name, type or value: intake refuses such a body.");
        ComposeKey(type);
    }

    private void ReadTags()
    {
        while (Advance() == JsonTokenType.PropertyName)
        {
            if (_tagCount == BatchMembers.MaxTags)
                throw new JsonException($"A metric has more than {BatchMembers.MaxTags} tags: intake refuses such a body.");
            var key = Text();
            Advance();
            Expect(JsonTokenType.String);
            var value = Text();

            // Insertion sort: a few tags, mostly in order already.
            var at = _tagCount++;
            while (at > 0 && Bytes(_tags[at - 1].Key).SequenceCompareTo(Bytes(key)) > 0)
            {
                _tags[at] = _tags[at - 1];
                at--;
            }

            _tags[at] = new TagSlot(key, value);
        }
    }

    private void ComposeKey(MetricType type)
    {
        var length = 3 + _name.Length;
        for (var i = 0; i < _tagCount; i++)
            length += 4 + _tags[i].Key.Length + _tags[i].Value.Length;
        ReserveScratch(length);
        _keyStart = _scratchUsed;
        _keyLength = length;

        var key = _scratch.AsSpan(_keyStart, length);
        key[0] = (byte)type;
        var at = 1 + WriteText(key[1..], _name);
        for (var i = 0; i < _tagCount; i++)
        {
            at += WriteText(key[at..], _tags[i].Key);
            at += WriteText(key[at..], _tags[i].Value);
        }
    }

    private readonly int WriteText(Span<byte> destination, Slice text)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, checked((ushort)text.Length));
        Bytes(text).CopyTo(destination[2..]);
        return 2 + text.Length;
    }

    // The current string: where it lies in the body, or its unescaped copy in the scratch buffer.
    private Slice Text()
    {
        if (!_json.ValueIsEscaped)
            return new Slice((int)_json.TokenStartIndex + 1, _json.ValueSpan.Length, InScratch: false);
        ReserveScratch(_json.ValueSpan.Length);
        var length = _json.CopyString(_scratch.AsSpan(_scratchUsed));
        var text = new Slice(_scratchUsed, length, InScratch: true);
        _scratchUsed += length;
        return text;
    }

    private readonly ReadOnlySpan<byte> Bytes(Slice text) =>
        text.InScratch ? _scratch.AsSpan(text.Start, text.Length) : _body.Slice(text.Start, text.Length);

    private void ReserveScratch(int bytes)
    {
        if (_scratch.Length - _scratchUsed >= bytes)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(512, (_scratchUsed + bytes) * 2));
        _scratch.AsSpan(0, _scratchUsed).CopyTo(larger);
        if (_scratch.Length > 0)
            ArrayPool<byte>.Shared.Return(_scratch);
        _scratch = larger;
    }

    private JsonTokenType Advance()
    {
        if (!_json.Read())
            throw new JsonException("The body ends before its metrics do: intake refuses such a body.");
        return _json.TokenType;
    }

    private readonly void Expect(JsonTokenType token)
    {
        if (_json.TokenType != token)
            throw new JsonException($"Byte {_json.TokenStartIndex} is {_json.TokenType}, not {token}: intake refuses such a body.");
    }

    private readonly record struct Slice(int Start, int Length, bool InScratch);

    private readonly record struct TagSlot(Slice Key, Slice Value);

    [InlineArray(BatchMembers.MaxTags)]
    private struct TagSlots
    {
        private TagSlot _first;
    }
}
