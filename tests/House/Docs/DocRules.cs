using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Docs;

/// <summary>What the docs point at is there: files, members, links, commands; and they keep their budgets.</summary>
internal static partial class DocRules
{
    private static readonly Dictionary<string, int> Budgets = new() { ["README.md"] = 150, ["CONTRIBUTING.md"] = 40 };

    private const string ApacheLicenceSha256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30";

    public static IReadOnlyList<Rule> All { get; } =
    [
        new("doc-references",
            "write the path from the root and a member that this file declares: `src/EvenKeel.Queue/DurableQueue.cs:AppendAsync`.",
                LostReferences),
        new("walk-steps", "walk a message in 5 to 8 numbered steps, each with a `file:Member`.", ThinWalks),
        new("doc-links", "point the link at a file of the repository, or at a heading that exists.", BrokenLinks),
        new("doc-budgets", "shorten it, or move the detail into docs/ and link it.", LongDocs),
        new("licence", "keep LICENSE the plain text of the Apache License 2.0, as the foundation publishes it.", AlteredLicence),
        new("doc-commands", "name a project that exists, by its path from the root.", LostCommands),
    ];

    private static IEnumerable<Violation> LostReferences(Repository repository)
    {
        var sources = repository.Sources.ToDictionary(source => source.Path);
        foreach (var path in Docs(repository))
        {
            foreach (var (text, line) in MarkdownText.Parse(repository[path]).Prose)
            {
                foreach (Match match in SourceReference().Matches(text))
                {
                    var (file, member) = (match.Groups["file"].Value, match.Groups["member"].Value);
                    if (!repository.HasFile(file) && !repository.HasFolder(file))
                    {
                        yield return new(path, line, match.Value, $"{file} does not exist");
                    }
                    else if (member.Length > 0 && sources.TryGetValue(file, out var source) && !Declares(source, member))
                    {
                        yield return new(path, line, match.Value, $"{file} declares no {member}");
                    }
                }
            }
        }
    }

    private static bool Declares(SourceFile source, string member)
    {
        var declared = source.Nodes<SyntaxNode>().SelectMany(NamesDeclaredBy).ToHashSet();
        return member.Split('.').All(declared.Contains);
    }

    private static IEnumerable<string> NamesDeclaredBy(SyntaxNode node) => node switch
    {
        BaseTypeDeclarationSyntax type => [type.Identifier.Text],
        DelegateDeclarationSyntax type => [type.Identifier.Text],
        MethodDeclarationSyntax method => [method.Identifier.Text],
        LocalFunctionStatementSyntax function => [function.Identifier.Text],
        PropertyDeclarationSyntax property => [property.Identifier.Text],
        EventDeclarationSyntax declared => [declared.Identifier.Text],
        BaseFieldDeclarationSyntax field => field.Declaration.Variables.Select(variable => variable.Identifier.Text),
        EnumMemberDeclarationSyntax member => [member.Identifier.Text],
        ParameterSyntax { Parent.Parent: RecordDeclarationSyntax } parameter => [parameter.Identifier.Text],
        _ => [],
    };

    private static IEnumerable<Violation> ThinWalks(Repository repository)
    {
        const string Walk = "docs/ARCHITECTURE.md";
        if (!repository.HasFile(Walk))
        {
            yield break;
        }

        foreach (var steps in NumberedLists(MarkdownText.Parse(repository[Walk]).Prose))
        {
            if (steps.Count is < 5 or > 8)
            {
                yield return new(Walk, steps[0].Line, "", $"a walk of {steps.Count} steps");
            }

            foreach (var (text, line) in steps.Where(
                step => !SourceReference().Matches(step.Text).Any(match => match.Groups["member"].Length > 0)))
            {
                yield return new(Walk, line, "", $"a step without a file:Member: {text.Trim()}");
            }
        }
    }

    // A step runs on over indented lines; a list ends with the first line that is neither indented, empty nor numbered.
    private static IEnumerable<List<(string Text, int Line)>> NumberedLists(IEnumerable<(string Text, int Line)> prose)
    {
        var steps = new List<(string Text, int Line)>();
        foreach (var (text, line) in prose.Append(("end", 0)))
        {
            var numbered = NumberedStep().Match(text);
            if (numbered.Success && (numbered.Groups[1].Value != "1" || steps.Count == 0))
            {
                steps.Add((text, line));
            }
            else if (steps.Count > 0 && !numbered.Success && (text.Trim().Length == 0 || text.StartsWith(' ')))
            {
                steps[^1] = (steps[^1].Text + " " + text.Trim(), steps[^1].Line);
            }
            else if (steps.Count > 0)
            {
                yield return steps;
                steps = numbered.Success ? [(text, line)] : [];
            }
        }
    }

    private static IEnumerable<Violation> BrokenLinks(Repository repository)
    {
        foreach (var path in repository.Markdown())
        {
            foreach (var (text, line) in MarkdownText.Parse(repository[path]).Prose)
            {
                foreach (var target in Link().Matches(text).Select(match => match.Groups[1].Value).Where(target => !IsElsewhere(target)))
                {
                    var parts = target.Split('#', 2);
                    var file = parts[0].Length == 0 ? path : ProjectFile.Resolve(path, parts[0]);
                    var exists = repository.HasFile(file) || repository.HasFolder(file);
                    if (!exists)
                    {
                        yield return new(path, line, target, $"{target} does not exist");
                    }
                    else if (parts.Length == 2 && file.EndsWith(".md", StringComparison.Ordinal)
                        && !MarkdownText.Parse(repository[file]).Anchors.Contains(parts[1]))
                    {
                        yield return new(path, line, target, $"{file} has no heading #{parts[1]}");
                    }
                }
            }
        }
    }

    private static bool IsElsewhere(string target) =>
        target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal);

    private static IEnumerable<Violation> LongDocs(Repository repository) =>
        from budget in Budgets
        where repository.HasFile(budget.Key)
        let lines = repository[budget.Key].TrimEnd('\n').Split('\n').Length
        where lines > budget.Value
        select new Violation(budget.Key, lines, "", $"{lines} lines, at most {budget.Value}");

    private static IEnumerable<Violation> AlteredLicence(Repository repository)
    {
        var text = repository.HasFile("LICENSE") ? repository["LICENSE"].ReplaceLineEndings("\n") : "";
        if (Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))) != ApacheLicenceSha256)
        {
            yield return new("LICENSE", 1, "", text.Length == 0 ? "there is no licence" : "not the plain text of the Apache License 2.0");
        }
    }

    private static IEnumerable<Violation> LostCommands(Repository repository) =>
        from path in Docs(repository).Where(path => path != "CHANGELOG.md")
        from block in MarkdownText.Parse(repository[path]).Blocks
        where block.Language is "sh" or "bash" or "console"
        from line in block.Text.Split('\n').Select((text, index) => (Text: text, Number: block.Line + index))
        from Match match in RunCommand().Matches(line.Text)
        let project = match.Groups[1].Value.TrimEnd('/')
        where !repository.Projects.Any(known => known.Path == project || Path.GetDirectoryName(known.Path)?.Replace('\\', '/') == project)
        select new Violation(path, line.Number, project, $"there is no project {project}");

    /// <summary>The docs of this repository; what a fixture or a dependency ships speaks for itself.</summary>
    private static IEnumerable<string> Docs(Repository repository) =>
        repository.Markdown().Where(
            path => !path.Contains('/', StringComparison.Ordinal) || path.StartsWith("docs/", StringComparison.Ordinal));

    [GeneratedRegex(@"(?<file>\b(src|tests|bench|samples|native|eng)/[\w./-]*\w\.\w+)(:(?<member>[A-Z_]\w*(\.\w+)*))?")]
    private static partial Regex SourceReference();

    [GeneratedRegex(@"^(\d+)\. ")]
    private static partial Regex NumberedStep();

    [GeneratedRegex(@"\]\(<?([^)\s>]+)>?(?:\s+""[^""]*"")?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"dotnet run\b.*?(?:--project|-p)[ =](\S+)")]
    private static partial Regex RunCommand();
}
