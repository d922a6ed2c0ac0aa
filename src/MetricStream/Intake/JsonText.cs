using System.Buffers.Text;

namespace MetricStream.Intake;

/// <summary>What is wrong with a text under the rule for names, tag keys and tag values.</summary>
internal enum TextFlaw : byte { None, Empty, TooLong, BadCharacter }

/// <summary>
/// Rules on the raw text of a JSON string: what stands between its quotes, escapes unresolved, valid UTF-8. Nothing is copied.
/// A character is a Unicode code point: an emoji counts once, as Python's <c>len</c> and .NET's <c>Rune</c> count it, however it is spelt.
/// </summary>
internal static class JsonText
{
    public const int MaxCharacters = 256;

    /// <summary>The longest raw spelling of a text within the limit: each character a pair of escapes.</summary>
    public const int MaxRawBytes = MaxCharacters * 12;

    /// <summary>1 to 256 characters, none of them a control character (C0, DEL, C1), escaped or not.</summary>
    public static TextFlaw Check(ReadOnlySpan<byte> raw)
    {
        if (raw.IsEmpty)
            return TextFlaw.Empty;
        if (raw.Length <= MaxCharacters && raw.IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0 && !raw.Contains((byte)'\\'))
            return TextFlaw.None;

        var characters = 0;
        while (!raw.IsEmpty)
        {
            if (++characters > MaxCharacters)
                return TextFlaw.TooLong;
            if (StartsWithControl(raw))
                return TextFlaw.BadCharacter;
            raw = raw[CharacterBytes(raw)..];
        }

        return TextFlaw.None;
    }

    /// <summary>True when an escaped surrogate has no partner: such text has no meaning in Unicode.</summary>
    public static bool HasLoneSurrogate(ReadOnlySpan<byte> raw)
    {
        for (var at = raw.IndexOf((byte)'\\'); at >= 0; at = raw.IndexOf((byte)'\\'))
        {
            raw = raw[at..];
            var length = CharacterBytes(raw);
            if (length == 6 && char.IsSurrogate((char)CodeUnit(raw)))
                return true;
            raw = raw[length..];
        }

        return false;
    }

    private static bool StartsWithControl(ReadOnlySpan<byte> raw) => raw[0] switch
    {
        (byte)'\\' when raw[1] == 'u' => CodeUnit(raw) is < 0x20 or (>= 0x7F and <= 0x9F),
        (byte)'\\' => raw[1] is (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t',
        0xC2 => raw[1] <= 0x9F,
        var first => first is < 0x20 or 0x7F,
    };

    // The bytes that spell the first character: UTF-8, a short escape, \uXXXX, or a pair of those for one beyond the BMP.
    private static int CharacterBytes(ReadOnlySpan<byte> raw)
    {
        if (raw[0] != '\\')
            return raw[0] < 0x80 ? 1 : raw[0] < 0xE0 ? 2 : raw[0] < 0xF0 ? 3 : 4;
        if (raw[1] != 'u')
            return 2;
        var isPair = char.IsHighSurrogate((char)CodeUnit(raw))
            && raw.Length >= 12 && raw[6] == '\\' && raw[7] == 'u' && char.IsLowSurrogate((char)CodeUnit(raw[6..]));
        return isPair ? 12 : 6;
    }

    private static int CodeUnit(ReadOnlySpan<byte> escape) =>
        Utf8Parser.TryParse(escape.Slice(2, 4), out ushort unit, out var consumed, 'x') && consumed == 4
            ? unit
            : throw new InvalidOperationException("The JSON reader passed an escape without four hex digits.");
}
