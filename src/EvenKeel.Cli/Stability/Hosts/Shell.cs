namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>The shell that a person pastes a command into; quoting is that of POSIX shells.</summary>
internal static class Shell
{
    public static string Quote(string text) =>
        text.Length > 0 && text.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:@%+=,".Contains(letter, StringComparison.Ordinal))
            ? text
            : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
