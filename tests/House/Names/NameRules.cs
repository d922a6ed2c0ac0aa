using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Names;

/// <summary>Types and files are named by nouns of the domain; the words below are nobody's noun.</summary>
internal static partial class NameRules
{
    private static readonly HashSet<string> NobodysNouns =
        ["Manager", "Helper", "Util", "Common", "Base", "Impl", "Wrapper", "Processor", "Service", "Data", "Info"];

    public static IReadOnlyList<Rule> All { get; } =
    [
        Rule.ForSources("type-names", "name the type by the domain's noun for what it is (a Committer, a Segment, a Lease).",
            EmptyTypeNames),
        Rule.ForSources("file-names", "name the file like the noun it defines.", EmptyFileNames),
    ];

    /// <summary>The words of a name in Pascal case: <c>HTTPServiceBase</c> has HTTP, Service and Base, <c>Database</c> has one.</summary>
    public static IEnumerable<string> WordsOf(string name) => PascalWord().Matches(name).Select(match => match.Value);

    private static IEnumerable<Violation> EmptyTypeNames(SourceFile source)
    {
        foreach (var node in source.Nodes<MemberDeclarationSyntax>())
        {
            var name = node switch
            {
                BaseTypeDeclarationSyntax type => type.Identifier.Text,
                DelegateDeclarationSyntax type => type.Identifier.Text,
                _ => "",
            };
            if (BannedWordIn(name) is { } word)
            {
                yield return source.At(node, $"'{word}' in the type name {name}");
            }
        }
    }

    private static IEnumerable<Violation> EmptyFileNames(SourceFile source)
    {
        var name = Path.GetFileNameWithoutExtension(source.Path);
        if (BannedWordIn(name) is { } word)
        {
            yield return new(source.Path, 1, name, $"'{word}' in the file name");
        }
    }

    private static string? BannedWordIn(string name) =>
        WordsOf(name).FirstOrDefault(word => NobodysNouns.Contains(word) || (word.EndsWith('s') && NobodysNouns.Contains(word[..^1])));

    [GeneratedRegex("[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")]
    private static partial Regex PascalWord();
}
