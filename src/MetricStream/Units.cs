using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace MetricStream;

/// <summary>
/// How people write a time (<c>500ms</c>, <c>90s</c>, <c>30d</c>) and a size (<c>4096</c>, <c>64KiB</c>, <c>10GiB</c>)
/// on the command line, in settings and in query strings. Units are read in any case; a negative amount is refused, zero is not.
/// </summary>
internal static class Units
{
    private const string TimeForm = "write a number and a unit: 500ms, 90s, 10m, 2h or 30d";
    private const string SizeForm = "write bytes (4096) or a number with KiB, MiB, GiB or TiB (64KiB, 10GiB)";

    /// <summary>Reads a time, to the tick; throws <see cref="FormatException"/> with a message that names the value and the fix.</summary>
    public static TimeSpan ParseTime(string text) =>
        TryParseTime(text, out var time, out var error) ? time : throw new FormatException(error);

    /// <summary>Reads a size in bytes; throws <see cref="FormatException"/> with a message that names the value and the fix.</summary>
    public static long ParseBytes(string text) =>
        TryParseBytes(text, out var bytes, out var error) ? bytes : throw new FormatException(error);

    /// <summary>As <see cref="ParseTime"/>, with the message instead of the exception.</summary>
    public static bool TryParseTime(string text, out TimeSpan time, [NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        time = default;
        var (number, unit) = Split(text);
        long? ticksPerUnit = unit.ToUpperInvariant() switch
        {
            "MS" => TimeSpan.TicksPerMillisecond,
            "S" => TimeSpan.TicksPerSecond,
            "M" => TimeSpan.TicksPerMinute,
            "H" => TimeSpan.TicksPerHour,
            "D" => TimeSpan.TicksPerDay,
            _ => null,
        };
        if (ticksPerUnit is null || !TryNumber(number, out var amount))
            return Refuse($"'{text}' is no time: {TimeForm}.", out error);
        if (amount > long.MaxValue / ticksPerUnit.Value)
            return Refuse($"'{text}' is too long a time: at most {long.MaxValue / TimeSpan.TicksPerDay}d.", out error);
        time = TimeSpan.FromTicks((long)(amount * ticksPerUnit.Value));
        error = null;
        return true;
    }

    /// <summary>As <see cref="ParseBytes"/>, with the message instead of the exception.</summary>
    public static bool TryParseBytes(string text, out long bytes, [NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        bytes = 0;
        var (number, unit) = Split(text);
        int? shift = unit.ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "KIB" => 10,
            "MIB" => 20,
            "GIB" => 30,
            "TIB" => 40,
            _ => null,
        };
        if (shift is null || !TryNumber(number, out var amount) || (shift == 0 && amount != decimal.Truncate(amount)))
            return Refuse($"'{text}' is no size: {SizeForm}.", out error);
        if (amount > long.MaxValue >> shift.Value)
            return Refuse($"'{text}' is too large a size: at most {long.MaxValue >> 40}TiB.", out error);
        bytes = (long)(amount * (1L << shift.Value));
        error = null;
        return true;
    }

    /// <summary>Writes a time so that <see cref="ParseTime"/> reads it back, in the largest unit that leaves a whole number, else in
    /// milliseconds.</summary>
    public static string FormatTime(TimeSpan time) => time.Ticks switch
    {
        var t and not 0 when t % TimeSpan.TicksPerDay == 0 => Whole(t / TimeSpan.TicksPerDay, "d"),
        var t and not 0 when t % TimeSpan.TicksPerHour == 0 => Whole(t / TimeSpan.TicksPerHour, "h"),
        var t and not 0 when t % TimeSpan.TicksPerMinute == 0 => Whole(t / TimeSpan.TicksPerMinute, "m"),
        var t when t % TimeSpan.TicksPerSecond == 0 => Whole(t / TimeSpan.TicksPerSecond, "s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.####}ms"),
    };

    /// <summary>Writes a size so that <see cref="ParseBytes"/> reads it back: the largest unit that leaves a whole number.</summary>
    public static string FormatBytes(long bytes) => bytes switch
    {
        0 => "0",
        _ when bytes % (1L << 40) == 0 => Whole(bytes >> 40, "TiB"),
        _ when bytes % (1L << 30) == 0 => Whole(bytes >> 30, "GiB"),
        _ when bytes % (1L << 20) == 0 => Whole(bytes >> 20, "MiB"),
        _ when bytes % (1L << 10) == 0 => Whole(bytes >> 10, "KiB"),
        _ => Whole(bytes, ""),
    };

    private static string Whole(long amount, string unit) => string.Create(CultureInfo.InvariantCulture, $"{amount}{unit}");

    private static (string Number, string Unit) Split(string text)
    {
        var trimmed = text.Trim();
        var end = trimmed.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        return (trimmed[..end], trimmed[end..].TrimStart());
    }

    private static bool TryNumber(string text, out decimal amount) =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out amount);

    private static bool Refuse(string message, out string error)
    {
        error = message;
        return false;
    }
}
