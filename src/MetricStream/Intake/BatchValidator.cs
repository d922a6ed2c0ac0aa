using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;
using MetricStream.Queueing;

namespace MetricStream.Intake;

/// <summary>
/// Decides in one pass over the bytes whether a body is a batch: no object graph, nothing allocated for a good one.
/// The whole body is always read: damage at its end (400) wins over an invalid metric at its start (422).
/// </summary>
internal ref struct BatchValidator
{
    public const int MaxErrors = 100;

    private readonly ReadOnlySpan<byte> _body;
    private readonly int _maxMetrics;
    private Utf8JsonReader _json;
    private List<BatchError>? _errors;
    private int _errorCount;
    private int _index;
    private ReadOnlySpan<byte> _clientId;
    private TagKeys _tagKeys;

    private BatchValidator(ReadOnlySpan<byte> body, int maxMetrics)
    {
        _body = body;
        _maxMetrics = maxMetrics;
        _json = new Utf8JsonReader(body, BatchMembers.JsonOptions);
    }

    /// <summary>Checks <paramref name="body"/> (without a byte order mark) against the contract of <c>POST /metrics</c>.</summary>
    public static BatchVerdict Validate(ReadOnlySpan<byte> body, int maxMetrics)
    {
        if (!Utf8.IsValid(body))
            return new BatchVerdict { Malformed = "The body is not valid UTF-8. Send JSON in UTF-8." };
        try
        {
            return new BatchValidator(body, maxMetrics).Run();
        }
        catch (JsonException malformed)
        {
            return new BatchVerdict { Malformed = $"The body is not JSON by RFC 8259: {malformed.Message}" };
        }
    }

    private BatchVerdict Run()
    {
        Advance();
        ReadBatch();
        if (_json.Read())
            throw new JsonException("Something follows the document.");
        return new BatchVerdict { MetricCount = _index, Errors = _errors, ErrorCount = _errorCount, ClientId = _clientId };
    }

    private void ReadBatch()
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            Refuse("$", BatchErrorCode.WrongType, ofBatch: true);
            SkipValue();
            return;
        }

        var seen = 0;
        while (Advance() == JsonTokenType.PropertyName)
        {
            var member = BatchMembers.OfBatch(ref _json);
            Advance();
            if (member == BatchMember.Unknown)
                SkipValue();
            else if (IsRepeated(ref seen, (int)member))
                RefuseValue(NameOf(member), BatchErrorCode.Repeated, ofBatch: true);
            else if (member == BatchMember.Metrics)
                ReadMetrics();
            else if (member == BatchMember.BatchTimestamp)
                CheckTimestamp(NameOf(member), ofBatch: true);
            else
                ReadClientId();
        }

        if ((seen & (1 << (int)BatchMember.Metrics)) == 0)
            Refuse("metrics", BatchErrorCode.Missing, ofBatch: true);
    }

    private void ReadMetrics()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            RefuseValue("metrics", BatchErrorCode.WrongType, ofBatch: true);
            return;
        }

        for (; Advance() != JsonTokenType.EndArray; _index++)
        {
            if (_index >= _maxMetrics)
                SkipValue();
            else if (_json.TokenType == JsonTokenType.StartObject)
                ReadMetric();
            else
                RefuseValue("metrics", BatchErrorCode.WrongType);
        }

        if (_index == 0)
            Refuse("metrics", BatchErrorCode.Empty, ofBatch: true);
        else if (_index > _maxMetrics)
            Refuse("metrics", BatchErrorCode.TooMany, ofBatch: true);
    }

    private void ReadMetric()
    {
        var seen = 0;
        while (Advance() == JsonTokenType.PropertyName)
        {
            var member = BatchMembers.OfMetric(ref _json);
            Advance();
            if (member == MetricMember.Unknown)
            {
                SkipValue();
                continue;
            }

            if (IsRepeated(ref seen, (int)member))
                RefuseValue(NameOf(member), BatchErrorCode.Repeated);
            else
                CheckMember(member);
        }

        const int Required = (1 << (int)MetricMember.Name) | (1 << (int)MetricMember.Value) | (1 << (int)MetricMember.Type);
        if ((seen & Required) == Required)
            return;
        for (var member = MetricMember.Name; member <= MetricMember.Type; member++)
        {
            if ((seen & (1 << (int)member)) == 0)
                Refuse(NameOf(member), BatchErrorCode.Missing);
        }
    }

    private void CheckMember(MetricMember member)
    {
        switch (member)
        {
            case MetricMember.Name when _json.TokenType == JsonTokenType.String:
                RefuseFlaw("name", JsonText.Check(_json.ValueSpan));
                break;
            case MetricMember.Type when _json.TokenType == JsonTokenType.String:
                if (!BatchMembers.TryReadType(ref _json, out _))
                    Refuse("type", BatchErrorCode.UnknownType);
                break;
            case MetricMember.Value when _json.TokenType == JsonTokenType.Number:
                if (!_json.TryGetDouble(out var value) || !double.IsFinite(value))
                    Refuse("value", BatchErrorCode.NotFinite);
                break;
            case MetricMember.Tags when _json.TokenType == JsonTokenType.StartObject:
                ReadTags();
                break;
            case MetricMember.Timestamp:
                CheckTimestamp("timestamp", ofBatch: false);
                break;
            default:
                RefuseValue(NameOf(member), BatchErrorCode.WrongType);
                break;
        }
    }

    private void ReadTags()
    {
        var count = 0;
        while (Advance() == JsonTokenType.PropertyName)
        {
            if (count < BatchMembers.MaxTags)
                CheckTagKey(count);
            count++;
            if (Advance() != JsonTokenType.String)
                RefuseValue("tags", BatchErrorCode.WrongType);
            else if (count <= BatchMembers.MaxTags)
                RefuseFlaw("tags", JsonText.Check(_json.ValueSpan));
        }

        if (count > BatchMembers.MaxTags)
            Refuse("tags", BatchErrorCode.TooMany);
    }

    private void CheckTagKey(int position)
    {
        var flaw = JsonText.Check(_json.ValueSpan);
        _tagKeys[position] = default;
        if (flaw != TextFlaw.None)
        {
            RefuseFlaw("tags", flaw);
            return;
        }

        Span<byte> resolved = stackalloc byte[_json.ValueIsEscaped ? JsonText.MaxRawBytes : 0];
        var key = _json.ValueIsEscaped ? resolved[.._json.CopyString(resolved)] : _json.ValueSpan;
        var hash = HashOf(key);
        for (var i = 0; i < position; i++)
        {
            if (_tagKeys[i].Hash != hash || !SameKey(_tagKeys[i], key))
                continue;
            Refuse("tags", BatchErrorCode.Repeated);
            return;
        }

        _tagKeys[position] = new TagKey((int)_json.TokenStartIndex, _json.ValueSpan.Length, _json.ValueIsEscaped, hash);
    }

    // Randomised per process: 64 escaped keys made to collide would have each of them unescaped 63 times.
    private static int HashOf(ReadOnlySpan<byte> key)
    {
        var hash = new HashCode();
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    private readonly bool SameKey(TagKey earlier, ReadOnlySpan<byte> key)
    {
        if (!earlier.IsEscaped)
            return earlier.Length == key.Length && _body.Slice(earlier.QuoteAt + 1, earlier.Length).SequenceEqual(key);
        var quoted = new Utf8JsonReader(_body.Slice(earlier.QuoteAt, earlier.Length + 2));
        quoted.Read();
        return quoted.ValueTextEquals(key);
    }

    private void CheckTimestamp(string field, bool ofBatch)
    {
        if (_json.TokenType is not (JsonTokenType.Number or JsonTokenType.String))
            RefuseValue(field, BatchErrorCode.WrongType, ofBatch);
        else if (!MetricTimestamp.TryRead(ref _json, out _))
            Refuse(field, BatchErrorCode.BadTimestamp, ofBatch);
    }

    private void ReadClientId()
    {
        if (_json.TokenType != JsonTokenType.String)
        {
            RefuseValue("client_id", BatchErrorCode.WrongType, ofBatch: true);
            return;
        }

        // An id has no character that needs an escape, so a text that long in its raw form is too long or bad either way.
        const int MaxEscaped = ClientId.MaxBytes * 6;
        ReadOnlySpan<byte> id = _json.ValueSpan;
        if (_json.ValueIsEscaped && id.Length <= MaxEscaped)
        {
            var resolved = new byte[MaxEscaped];
            id = resolved.AsSpan(0, _json.CopyString(resolved));
        }

        if (ClientId.Flaw(id) is { } code)
            Refuse("client_id", code, ofBatch: true);
        else
            _clientId = id;
    }

    // Every token passes here, those of unknown members too: an escape that spells half a character is damage wherever it stands.
    private JsonTokenType Advance()
    {
        if (!_json.Read())
            throw new JsonException("The body ends too early.");
        if (_json.ValueIsEscaped && JsonText.HasLoneSurrogate(_json.ValueSpan))
            throw new JsonException($"A lone surrogate escape stands in the string at byte {_json.TokenStartIndex}.");
        return _json.TokenType;
    }

    private void SkipValue()
    {
        if (_json.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
            return;
        for (var depth = _json.CurrentDepth; ;)
        {
            if (Advance() is JsonTokenType.EndObject or JsonTokenType.EndArray && _json.CurrentDepth == depth)
                return;
        }
    }

    private static bool IsRepeated(ref int seen, int member)
    {
        var before = seen;
        seen |= 1 << member;
        return before == seen;
    }

    private void RefuseValue(string field, string code, bool ofBatch = false)
    {
        Refuse(field, code, ofBatch);
        SkipValue();
    }

    private void RefuseFlaw(string field, TextFlaw flaw)
    {
        if (flaw == TextFlaw.None)
            return;
        Refuse(field, flaw switch
        {
            TextFlaw.Empty => BatchErrorCode.Empty,
            TextFlaw.TooLong => BatchErrorCode.TooLong,
            _ => BatchErrorCode.BadCharacter,
        });
    }

    private void Refuse(string field, string code, bool ofBatch = false)
    {
        _errorCount++;
        _errors ??= [];
        if (_errors.Count < MaxErrors)
            _errors.Add(new BatchError(ofBatch ? null : _index, field, code));
    }

    private static string NameOf(BatchMember member) => member switch
    {
        BatchMember.Metrics => "metrics",
        BatchMember.BatchTimestamp => "batch_timestamp",
        _ => "client_id",
    };

    private static string NameOf(MetricMember member) => member switch
    {
        MetricMember.Name => "name",
        MetricMember.Value => "value",
        MetricMember.Type => "type",
        MetricMember.Tags => "tags",
        _ => "timestamp",
    };

    // Length 0 stands for a key that was refused already: no key equals it.
    private readonly record struct TagKey(int QuoteAt, int Length, bool IsEscaped, int Hash);

    [InlineArray(BatchMembers.MaxTags)]
    private struct TagKeys
    {
        private TagKey _first;
    }
}
