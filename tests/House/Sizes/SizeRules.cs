using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Sizes;

/// <summary>
/// The budgets: 400 lines a file, 70 a method, 140 columns a line, five parameters a constructor, twelve a record of data.
/// </summary>
internal static class SizeRules
{
    public const int FileLines = 400;
    public const int MethodLines = 70;
    public const int LineColumns = 140;
    public const int ConstructorParameters = 5;
    public const int RecordParameters = 12;

    public static IReadOnlyList<Rule> All { get; } =
    [
        Rule.ForSources("file-lines", "split the file where its concern splits; what belongs together stays, with a departure.", LongFiles),
        Rule.ForSources("method-lines", "let one method orchestrate in numbered steps and move what a step does into a short method.",
            LongMethods),
        Rule.ForSources("line-columns", "break the line.", LongLines),
        Rule.ForSources(
            "constructor-parameters", "group what is decided together in a record, or split the type that needs so much.",
                WideConstructors),
    ];

    private static IEnumerable<Violation> LongFiles(SourceFile source)
    {
        // The editor's count: the empty line after the last newline is none.
        var lines = source.Lines;
        var count = lines[^1].Length == 0 ? lines.Count - 1 : lines.Count;
        if (count > FileLines)
        {
            yield return new(source.Path, count, "", $"{count} lines, at most {FileLines}");
        }
    }

    private static IEnumerable<Violation> LongMethods(SourceFile source)
    {
        foreach (var body in source.Nodes<SyntaxNode>().Where(IsBody))
        {
            var lines = LinesOf(body);
            if (lines > MethodLines)
            {
                yield return source.At(body, $"{lines} lines in one method, at most {MethodLines}");
            }
        }

        var statements = source.Root.Members.OfType<GlobalStatementSyntax>().Where(
            statement => statement.Statement is not LocalFunctionStatementSyntax);
        var topLevel = statements.Sum(LinesOf);
        if (topLevel > MethodLines)
        {
            yield return source.At(source.Root, $"{topLevel} lines of top-level statements, at most {MethodLines}");
        }
    }

    // A lambda counts within its method; one that initialises a field has no method and counts by itself.
    private static bool IsBody(SyntaxNode node) => node switch
    {
        BaseMethodDeclarationSyntax or AccessorDeclarationSyntax or LocalFunctionStatementSyntax => true,
        AnonymousFunctionExpressionSyntax =>
            !node.Ancestors().Any(outer => outer is AnonymousFunctionExpressionSyntax or GlobalStatementSyntax || IsBody(outer)),
        _ => false,
    };

    private static int LinesOf(SyntaxNode node)
    {
        var span = node.GetLocation().GetLineSpan();
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }

    private static IEnumerable<Violation> LongLines(SourceFile source) =>
        source.Path.StartsWith("src/", StringComparison.Ordinal)
            ? TooLong(source)
            : []; // Tests and benchmarks hold bodies and expectations that read better whole.

    private static IEnumerable<Violation> TooLong(SourceFile source) =>
        source.Lines
            .Select((text, index) => (text.Length, Line: index + 1))
            .Where(line => line.Length > LineColumns)
            .Select(line => new Violation(source.Path, line.Line, "", $"{line.Length} columns, at most {LineColumns}"));

    private static IEnumerable<Violation> WideConstructors(SourceFile source)
    {
        foreach (var constructor in source.Nodes<ConstructorDeclarationSyntax>())
        {
            var count = constructor.ParameterList.Parameters.Count;
            if (count > ConstructorParameters)
            {
                yield return source.At(constructor, $"{count} constructor parameters, at most {ConstructorParameters}");
            }
        }

        foreach (var type in source.Nodes<TypeDeclarationSyntax>())
        {
            var limit = type is RecordDeclarationSyntax ? RecordParameters : ConstructorParameters;
            var count = type.ParameterList?.Parameters.Count ?? 0;
            if (count > limit)
            {
                yield return source.At(type, $"{count} parameters of the primary constructor, at most {limit}");
            }
        }
    }
}
