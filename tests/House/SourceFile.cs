using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House;

/// <summary>A source file is one parsed .cs file of the repository, known by its path from the root.</summary>
internal sealed class SourceFile
{
    public static readonly CSharpParseOptions Options = new(LanguageVersion.Preview, DocumentationMode.Parse);

    private readonly SyntaxNode[] _nodes;

    public SourceFile(string path, string text)
    {
        Path = path;
        Tree = CSharpSyntaxTree.ParseText(text, Options, path);
        Root = Tree.GetCompilationUnitRoot();
        Lines = [.. Tree.GetText().Lines.Select(line => line.ToString())];
        _nodes = [.. Root.DescendantNodes()];
    }

    public string Path { get; }

    public SyntaxTree Tree { get; }

    public CompilationUnitSyntax Root { get; }

    public IReadOnlyList<string> Lines { get; }

    public IEnumerable<T> Nodes<T>()
        where T : SyntaxNode => _nodes.OfType<T>();

    public static int LineOf(SyntaxNode node) => node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;

    public static int LineOf(SyntaxTrivia trivia) => trivia.GetLocation().GetLineSpan().StartLinePosition.Line + 1;

    public Violation At(SyntaxNode node, string text) => new(Path, LineOf(node), MemberAround(node), text);

    public Violation At(SyntaxTrivia trivia, string text) => new(Path, LineOf(trivia), MemberAround(trivia.Token.Parent), text);

    /// <summary>The innermost named member, or type, that holds the node: what an exception in <see cref="Departures"/> may name.</summary>
    private static string MemberAround(SyntaxNode? node)
    {
        for (; node is not null; node = node.Parent)
        {
            var name = node switch
            {
                MethodDeclarationSyntax method => method.Identifier.Text,
                ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
                PropertyDeclarationSyntax property => property.Identifier.Text,
                BaseTypeDeclarationSyntax type => type.Identifier.Text,
                DelegateDeclarationSyntax type => type.Identifier.Text,
                BaseFieldDeclarationSyntax field => field.Declaration.Variables[0].Identifier.Text,
                _ => null,
            };
            if (name is not null)
            {
                return name;
            }
        }

        return "";
    }
}
