using System.Text.Json;

namespace MetricStream.Queueing;

/// <summary>
/// The time of a metric or a batch as clients write it: Unix milliseconds (an integral JSON number, or a string of digits) or an
/// RFC 3339 date-time with its offset. Read as Unix milliseconds between the years 0000 and 9999; fractions below a millisecond are cut.
/// </summary>
/// <remarks>
/// The range refuses seconds-times-a-million mistakes: Unix nanoseconds of today lie beyond the year 9999.
/// A leap second (23:59:60 UTC on the last day of a month) is the first instant of the next day, as Unix time counts it.
/// </remarks>
internal static class MetricTimestamp
{
    public const long MinUnixMs = -62_167_219_200_000;
    public const long MaxUnixMs = 253_402_300_799_999;

    private const int MaxTextBytes = 64;
    private const int MaxEscapedBytes = MaxTextBytes * 6;

    /// <summary>Reads the current number or string token. False: it is no timestamp.</summary>
    public static bool TryRead(ref Utf8JsonReader json, out long unixMs)
    {
        unixMs = 0;
        if (json.TokenType == JsonTokenType.Number)
        {
            if (!json.TryGetInt64(out unixMs) && !TryReadIntegral(ref json, out unixMs))
                return false;
            return unixMs is >= MinUnixMs and <= MaxUnixMs;
        }

        if (json.TokenType != JsonTokenType.String)
            return false;
        if (!json.ValueIsEscaped)
            return TryParse(json.ValueSpan, out unixMs);
        if (json.ValueSpan.Length > MaxEscapedBytes)
            return false;
        Span<byte> text = stackalloc byte[MaxEscapedBytes];
        return TryParse(text[..json.CopyString(text)], out unixMs);
    }

    /// <summary>Parses a string of digits or an RFC 3339 date-time.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out long unixMs)
    {
        unixMs = 0;
        if (text.Length is 0 or > MaxTextBytes)
            return false;
        if (text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0)
            return TryParseRfc3339(text, out unixMs);
        foreach (var digit in text)
        {
            unixMs = unixMs * 10 + (digit - '0');
            if (unixMs > MaxUnixMs)
                return false;
        }

        return true;
    }

    // 1.7e12 and 1700000000000.0 are the same JSON number as 1700000000000; every integral double in range is exact.
    private static bool TryReadIntegral(ref Utf8JsonReader json, out long unixMs)
    {
        unixMs = 0;
        if (!json.TryGetDouble(out var number) || number is not (>= MinUnixMs and <= MaxUnixMs) || number != Math.Floor(number))
            return false;
        unixMs = (long)number;
        return true;
    }

    private static bool TryParseRfc3339(ReadOnlySpan<byte> text, out long unixMs)
    {
        unixMs = 0;
        if (text.Length < "0000-00-00T00:00:00Z".Length
            || text[4] != '-' || text[7] != '-' || (text[10] | 0x20) != 't' || text[13] != ':' || text[16] != ':'
            || !TryDigits(text[..4], out var year) || !TryDigits(text[5..7], out var month) || !TryDigits(text[8..10], out var day)
            || !TryDigits(text[11..13], out var hour) || !TryDigits(text[14..16], out var minute)
            || !TryDigits(text[17..19], out var second)
            || month is < 1 or > 12 || day < 1 || day > DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 60
            || !TryFraction(text[19..], out var milliseconds, out var fractionBytes)
            || !TryOffset(text[(19 + fractionBytes)..], out var offsetMinutes))
        {
            return false;
        }

        var minutes = (DaysFromEpoch(year, month, day) * 24 + hour) * 60 + minute - offsetMinutes;
        if (second == 60)
        {
            if (!EndsMonthInUtc(minutes))
                return false;
            milliseconds = 0;
        }

        unixMs = minutes * 60_000 + second * 1000 + milliseconds;
        return unixMs is >= MinUnixMs and <= MaxUnixMs;
    }

    private static bool TryDigits(ReadOnlySpan<byte> text, out int number)
    {
        number = 0;
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            number = number * 10 + (digit - '0');
        }

        return true;
    }

    private static bool TryFraction(ReadOnlySpan<byte> text, out int milliseconds, out int bytes)
    {
        milliseconds = 0;
        bytes = 0;
        if (text[0] != '.')
            return true;
        var weight = 100;
        for (bytes = 1; bytes < text.Length && text[bytes] is >= (byte)'0' and <= (byte)'9'; bytes++)
        {
            milliseconds += (text[bytes] - '0') * weight;
            weight /= 10;
        }

        return bytes > 1;
    }

    private static bool TryOffset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        if (text.Length == 1)
            return (text[0] | 0x20) == 'z';
        if (text.Length != 6 || text[0] is not ((byte)'+' or (byte)'-') || text[3] != ':'
            || !TryDigits(text[1..3], out var hour) || !TryDigits(text[4..], out var minute) || hour > 23 || minute > 59)
        {
            return false;
        }

        minutes = (hour * 60 + minute) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    private static bool EndsMonthInUtc(long minutes)
    {
        const int MinutesPerDay = 24 * 60;
        if ((minutes + 1) % MinutesPerDay != 0)
            return false;
        // Month lengths repeat every 400 years, so the day after is looked up in DateTime's range (years 1 to 9999).
        var nextDay = (minutes + 1) / MinutesPerDay;
        return nextDay is > -719_162 and < 2_932_896 && DateTime.UnixEpoch.AddDays(nextDay).Day == 1;
    }

    private static int DaysInMonth(int year, int month) => month switch
    {
        2 => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    // Days since 1970-01-01 in the proleptic Gregorian calendar. DateTime has no year 0, which RFC 3339 does;
    // shifting by a whole 400-year cycle (146,097 days) brings every year into its range.
    private static long DaysFromEpoch(int year, int month, int day) =>
        year >= 400
            ? new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc).Subtract(DateTime.UnixEpoch).Days
            : new DateTime(year + 400, month, day, 0, 0, 0, DateTimeKind.Utc).Subtract(DateTime.UnixEpoch).Days - 146_097;
}
