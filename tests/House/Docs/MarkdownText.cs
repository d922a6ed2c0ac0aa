using System.Text.RegularExpressions;

namespace House.Docs;

/// <summary>
/// A fenced block is a code block of a markdown file: its language, the rest of its info string, its text and its first line.
/// </summary>
internal sealed record FencedBlock(string Language, string Words, string Text, int Line);

/// <summary>Markdown text is one .md file cut into prose lines and fenced blocks.</summary>
internal sealed partial class MarkdownText
{
    private MarkdownText(IReadOnlyList<(string Text, int Line)> prose, IReadOnlyList<FencedBlock> blocks)
    {
        Prose = prose;
        Blocks = blocks;
    }

    public IReadOnlyList<(string Text, int Line)> Prose { get; }

    public IReadOnlyList<FencedBlock> Blocks { get; }

    /// <summary>The anchors of its headings, as GitHub makes them.</summary>
    public IEnumerable<string> Anchors => Prose
        .Where(line => line.Text.StartsWith('#'))
        .Select(line => NotInAnchors().Replace(line.Text.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'));

    public static MarkdownText Parse(string text)
    {
        var prose = new List<(string, int)>();
        var blocks = new List<FencedBlock>();
        string? fence = null;
        var (info, start, code) = ("", 0, new List<string>());
        var lines = text.Split('\n');
        for (var index = 0; index < lines.Length; index++)
        {
            var line = lines[index].TrimEnd('\r');
            var trimmed = line.TrimStart();
            if (fence is null && Fence().Match(trimmed) is { Success: true } opening)
            {
                (fence, info, start, code) = (opening.Groups[1].Value, opening.Groups[2].Value.Trim(), index + 2, []);
            }
            else if (fence is not null && trimmed.TrimEnd() == fence)
            {
                var words = info.Split(' ', 2);
                blocks.Add(new(words[0], words.Length > 1 ? words[1] : "", string.Join('\n', code), start));
                fence = null;
            }
            else if (fence is not null)
            {
                code.Add(line);
            }
            else
            {
                prose.Add((line, index + 1));
            }
        }

        return new(prose, blocks);
    }

    [GeneratedRegex("^(```+|~~~+)(.*)$")]
    private static partial Regex Fence();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}
