using System.Text;

namespace MetricStream.Serving;

/// <summary>One name in two spellings: <c>MaxQueueBytes</c> in configuration, <c>max-queue-bytes</c> on the command line.</summary>
internal static class OptionNames
{
    public static string ToOption(string key)
    {
        var option = new StringBuilder(key.Length + 4);
        foreach (var letter in key)
        {
            if (char.IsAsciiLetterUpper(letter) && option.Length > 0)
                option.Append('-');
            option.Append(char.ToLowerInvariant(letter));
        }
        return option.ToString();
    }

    public static string ToKey(string option) =>
        string.Concat(option.TrimStart('-').Split('-').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
}
