using System.Text.RegularExpressions;

namespace House.Speech;

/// <summary>
/// The repository speaks of the product alone: not of the machine or the people it was written with, nor of documents that are not in it.
/// </summary>
internal static class SpeechRules
{
    // Put together from halves, so that this file does not say what it forbids.
    private static readonly (string Pattern, string What)[] Unspeakable =
    [
        (@"(?<![\w.])/wo" + "rk/", "a path of one machine"),
        ("/tmp/w" + @"t\b|/tmp/h" + "ub", "a path of one machine"),
        (@"(?<![\w.])/fa" + "rm/", "a path of one machine"),
        (@"(?<![\w.])/ro" + "ot/|(?<![\\w.])/ho" + @"me/\w", "a home folder of one machine"),
        (@"api\.nu" + @"get\.org|regis" + @"try\.npmjs|pkgs\.dev\.az" + @"ure|arti" + @"factory|jfr" + @"og\.io|nuget\.pkg\.git" + "hub",
            "the host name of a registry"),
        (@"\b(Clau" + @"de|Anthro" + @"pic|Chat" + @"GPT|Open" + @"AI|Copi" + @"lot)\b", "a tool it was written with"),
        (@"\b(lang" + @"uage model|LL" + @"Ms?|AI assis" + @"tant|co" + @"ding agent|sub-?ag" + @"ents?)\b", "a tool it was written with"),
        (@"\bas" + @"sistant('s)? session|\bsession of the as" + @"sistant|\bthis session of wo" + @"rk|\bthe br"
            + @"ief says|\bmy cl" + @"one\b", "how it was written"),
        (@"\b(PRO" + @"DUCT|CON" + @"TRACT|STY" + @"LE|FA" + @"CTS)\.md\b", "a document that is not in the repository"),
    ];

    private static readonly Regex Spoken = new(
        string.Join('|', Unspeakable.Select((entry, index) => $"(?<w{index}>{entry.Pattern})")),
            RegexOptions.IgnoreCase | RegexOptions.Compiled);

    private static readonly string[] TextEndings =
        [".cs", ".md", ".csproj", ".props", ".targets", ".slnx", ".json", ".yml", ".yaml", ".sh", ".ps1", ".js", ".html", ".css", ".txt",
            ".xml", ".c", ".h",
            ".py", ".sql", ".config", ".editorconfig", ".gitignore", ".gitattributes"];

    public static IReadOnlyList<Rule> All { get; } =
    [
        new("speaks-of-the-product", "say what the reader of a clone can see and use; name the behaviour instead of the document.",
            Unspoken),
    ];

    private static IEnumerable<Violation> Unspoken(Repository repository)
    {
        foreach (var path in repository.Paths.Where(IsText))
        {
            var lines = repository[path].Split('\n');
            for (var index = 0; index < lines.Length; index++)
            {
                foreach (var match in Spoken.Matches(lines[index]).Where(match => !repository.HasFile(match.Value)))
                {
                    var what = Unspeakable[Enumerable.Range(0, Unspeakable.Length).First(entry => match.Groups[$"w{entry}"].Success)].What;
                    yield return new(path, index + 1, match.Value, $"'{match.Value}' is {what}");
                }
            }
        }
    }

    // Scripts without an ending (.ci/run, eng/pack) are text as well; lock files hold versions and hashes only.
    private static bool IsText(string path)
    {
        var ending = Path.GetExtension(path);
        return path != "LICENSE" && Path.GetFileName(path) != "packages.lock.json"
            && (ending.Length == 0 || TextEndings.Contains(ending.ToLowerInvariant()));
    }
}
