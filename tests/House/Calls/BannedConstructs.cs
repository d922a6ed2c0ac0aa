using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Calls;

/// <summary>
/// Constructs that swallow errors or put work off: empty catches, async void, silenced warnings without a reason, notes to self.
/// </summary>
internal static partial class BannedConstructs
{
    public static IReadOnlyList<Rule> All { get; } =
    [
        Rule.ForSources("parse-errors",
            "make it valid C#; if the compiler takes it and this parser does not, raise Microsoft.CodeAnalysis.CSharp.",
            source => source.Tree.GetDiagnostics().Where(found => found.Severity == DiagnosticSeverity.Error).Select(found => new Violation(
                source.Path, found.Location.GetLineSpan().StartLinePosition.Line + 1, "", found.GetMessage(null)))),
        Rule.ForSources("empty-catch", "handle it, count it, or let it pass upwards; an early return may drop no record in hand either.",
            source => source.Nodes<CatchClauseSyntax>()
                .Where(caught => caught.Block.Statements.All(statement => statement is EmptyStatementSyntax))
                .Select(caught => source.At(caught, "a catch that does nothing"))),
        Rule.ForSources("async-void", "return a Task that somebody awaits.", AsyncVoid),
        Rule.ForSources("silenced-warning", "write the reason after it, or on the line above (Justification = \"…\" in SuppressMessage).",
            Silenced),
        Rule.ForSources("put-off", "do it, or leave it out and say in the docs what is not there.",
            source => source.Root.DescendantTrivia(descendIntoTrivia: false)
                .Where(trivia => IsComment(trivia) && NoteToSelf().IsMatch(trivia.ToFullString()))
                .Select(trivia => source.At(trivia, NoteToSelf().Match(trivia.ToFullString()).Value))),
    ];

    private static IEnumerable<Violation> AsyncVoid(SourceFile source)
    {
        foreach (var node in source.Nodes<SyntaxNode>())
        {
            var (modifiers, returns) = node switch
            {
                MethodDeclarationSyntax method => (method.Modifiers, method.ReturnType),
                LocalFunctionStatementSyntax function => (function.Modifiers, function.ReturnType),
                _ => default,
            };
            if (modifiers.Any(SyntaxKind.AsyncKeyword) && returns is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword })
            {
                yield return source.At(node, "async void: its exceptions kill the process and nobody can wait for it");
            }
        }
    }

    private static IEnumerable<Violation> Silenced(SourceFile source)
    {
        var lines = source.Lines;
        foreach (var trivia in source.Root.DescendantTrivia().Where(trivia => trivia.IsKind(SyntaxKind.PragmaWarningDirectiveTrivia)))
        {
            var line = SourceFile.LineOf(trivia);
            var text = lines[line - 1];
            var above = line > 1 ? lines[line - 2].Trim() : "";
            if (text.Contains("disable", StringComparison.Ordinal) && !text.Contains("//", StringComparison.Ordinal)
                && !above.StartsWith("//", StringComparison.Ordinal))
            {
                yield return source.At(trivia, text.Trim());
            }
        }

        foreach (var attribute in source.Nodes<AttributeSyntax>().Where(IsSuppression))
        {
            if (!attribute.ToString().Contains("Justification = \"", StringComparison.Ordinal))
            {
                yield return source.At(attribute, attribute.ToString());
            }
        }
    }

    private static bool IsSuppression(AttributeSyntax attribute) =>
        attribute.Name.ToString() is "SuppressMessage" or "UnconditionalSuppressMessage";

    private static bool IsComment(SyntaxTrivia trivia) =>
        trivia.Kind() is SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia
            or SyntaxKind.SingleLineDocumentationCommentTrivia or SyntaxKind.MultiLineDocumentationCommentTrivia;

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b")]
    private static partial Regex NoteToSelf();
}
