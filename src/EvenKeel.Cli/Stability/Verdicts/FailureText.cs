using System.Text.RegularExpressions;
using EvenKeel.Cli.Stability.Runs;

namespace EvenKeel.Cli.Stability.Verdicts;

/// <summary>A failure's text without what differs from run to run: tests that fail with the same one fail of the same thing.</summary>
internal static partial class FailureText
{
    public static string Normalise(Failure failure)
    {
        var message = failure.Message.Split('\n')[0].Trim();
        var frame = failure.Stack.Split('\n').Select(line => line.Trim())
            .FirstOrDefault(line => line.StartsWith("at ", StringComparison.Ordinal) && !Framework().IsMatch(line)) ?? "";
        return $"{NormaliseText(message)} {NormaliseText(frame)}".Trim();
    }

    public static string NormaliseText(string text) => Number().Replace(Hex().Replace(Guids().Replace(text, "*"), "*"), "*");

    [GeneratedRegex(@"\b[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\b")]
    private static partial Regex Guids();

    [GeneratedRegex(@"\b(0x)?(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{6,}\b")]
    private static partial Regex Hex();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();

    [GeneratedRegex(@"^at (Xunit|NUnit|Microsoft\.VisualStudio|System)\.")]
    private static partial Regex Framework();
}
