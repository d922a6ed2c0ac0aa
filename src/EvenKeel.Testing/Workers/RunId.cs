using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace EvenKeel.Testing.Workers;

/// <summary>
/// The run id is the short id in every name that one test process makes: five characters that tell the minute it began, so that leavings of
/// a run that nobody knows can be swept by age, and four by chance.
/// </summary>
internal sealed partial record RunId(string Text)
{
    private const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    private const int TimeDigits = 5;
    private const int ChanceDigits = 4;

    public DateTimeOffset StartedAt
    {
        get
        {
            var minutes = Text[..TimeDigits].Aggregate(
                0L, (sum, digit) => sum * Digits.Length + Digits.IndexOf(digit, StringComparison.Ordinal));
            return DateTimeOffset.UnixEpoch.AddMinutes(minutes);
        }
    }

    public static RunId New(TimeProvider time)
    {
        var minutes = (long)(time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMinutes;
        var text = new char[TimeDigits + ChanceDigits];
        for (var i = TimeDigits - 1; i >= 0; i--, minutes /= Digits.Length)
            text[i] = Digits[(int)(minutes % Digits.Length)];
        for (var i = TimeDigits; i < text.Length; i++)
            text[i] = Digits[RandomNumberGenerator.GetInt32(Digits.Length)];
        return new RunId(new string(text));
    }

    /// <summary>Reads the run from a topic's name; other names are nobody's.</summary>
    public static bool TryOfTopic(string prefix, string topic, [NotNullWhen(true)] out RunId? run)
    {
        var match = topic.StartsWith(prefix + "-", StringComparison.Ordinal) ? End().Match(topic) : Match.Empty;
        run = match.Success ? new RunId(match.Groups[1].Value) : null;
        return match.Success;
    }

    /// <summary>Reads the run from a group's name; other names are nobody's.</summary>
    public static bool TryOfGroup(string prefix, string group, [NotNullWhen(true)] out RunId? run)
    {
        var match = group.StartsWith(prefix + "-consumer-w", StringComparison.Ordinal)
            ? GroupStart().Match(group, prefix.Length)
            : Match.Empty;
        run = match.Success ? new RunId(match.Groups[1].Value) : null;
        return match.Success;
    }

    public override string ToString() => Text;

    [GeneratedRegex(".-w[0-9]+-([0-9a-z]{9})(?:-p[0-9]+)?(?:-f[0-9]+)?$")]
    private static partial Regex End();

    [GeneratedRegex(@"\G-consumer-w[0-9]+-([0-9a-z]{9})-.+-[0-9]+$")]
    private static partial Regex GroupStart();
}
