using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Docs;

/// <summary>
/// Code blocks in docs compile as a reader would paste them: with the SDK's implicit usings, the libraries of this repository and the
/// shared framework. <c>```csharp continues</c> goes on where the block before it ended.
/// </summary>
internal static class CodeBlockRules
{
    private static readonly string[] ImplicitUsings =
        ["System", "System.IO", "System.Linq", "System.Collections.Generic", "System.Net.Http", "System.Threading",
            "System.Threading.Tasks"];

    private static readonly Lazy<IReadOnlyList<MetadataReference>> Loaded = new(() =>
        [.. PlatformAssemblies().Select(path => MetadataReference.CreateFromFile(path))]);

    public static IReadOnlyList<Rule> All { get; } =
    [
        new("doc-code", "write it so that it compiles when pasted into a file, usings included; '```csharp continues' goes on from the "
            + "block before.", Uncompilable),
    ];

    /// <summary>Everything this process could load: the shared framework and the libraries that the House project refers to.</summary>
    public static IReadOnlyList<MetadataReference> References => Loaded.Value;

    public static IEnumerable<string> PlatformAssemblies() =>
        ((string?)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<Violation> Uncompilable(Repository repository)
    {
        var docs = repository.Markdown().Where(path => path == "README.md" || path.StartsWith("docs/", StringComparison.Ordinal));
        foreach (var path in docs)
        {
            var before = "";
            foreach (var block in MarkdownText.Parse(repository[path]).Blocks.Where(block => block.Language is "csharp" or "cs" or "c#"))
            {
                // What went before is kept on the lines above: errors of this block alone are reported, at their lines.
                before = block.Words == "continues" ? before : "";
                var offset = block.Line - 1 - before.Count(character => character == '\n');
                var code = before + block.Text + "\n";
                foreach (var error in Errors(code).Where(error => error.Line + offset >= block.Line))
                {
                    yield return new(path, error.Line + offset, "", error.Message);
                }

                before = code;
            }
        }
    }

    private static IEnumerable<(int Line, string Message)> Errors(string code)
    {
        var block = CSharpSyntaxTree.ParseText(code, SourceFile.Options);
        var usings = CSharpSyntaxTree.ParseText(
            string.Concat(ImplicitUsings.Select(space => $"global using global::{space};\n")), SourceFile.Options);
        var isProgram = block.GetCompilationUnitRoot().Members.Any(member => member is GlobalStatementSyntax);
        var compilation = CSharpCompilation.Create(
            "DocsBlock",
            [block, usings],
            References,
            new(
                isProgram ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary,
                nullableContextOptions: NullableContextOptions.Enable,
                allowUnsafe: true));
        return compilation.GetDiagnostics()
            .Where(found => found.Severity == DiagnosticSeverity.Error)
            .Select(found => (found.Location.GetLineSpan().StartLinePosition.Line + 1, $"{found.Id} {found.GetMessage(null)}"));
    }
}
