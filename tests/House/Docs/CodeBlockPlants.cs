namespace House.Docs;

/// <summary>Blocks that compile and blocks that do not.</summary>
internal static class CodeBlockPlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("doc-code", "a member that does not exist", 4, Readme("csharp", "\nConsole.WriteLn(1);")),
        Plant.Guilty("doc-code", "a using left out", 3, Readme("csharp", "var queue = default(DurableQueue);")),
        Plant.Guilty("doc-code", "a type", 3, Readme("csharp", "sealed class A { Missing M() => null!; }")),
        Plant.Guilty("doc-code", "a block of its own knows nothing of the one before", 7, (
            "docs/a.md", "# A\n```csharp\nvar a = 1;\n```\n\n```csharp\nConsole.WriteLine(a);\n```\n")),
        Plant.Guilty("doc-code", "the error of a block that continues", 8, (
            "docs/a.md", "# A\n```csharp\nvar a = 1;\n```\n\n```csharp continues\n\nConsole.WriteLn(a);\n```\n")),
        Plant.Innocent("doc-code", "statements on the libraries and the framework", Readme(
            "csharp", "using EvenKeel.Queue;\nvar queue = default(DurableQueue);\nawait Task.Yield();\nvar app = "
                + "Microsoft.AspNetCore.Builder.WebApplication.Create();")),
        Plant.Innocent("doc-code", "a type and another language", Readme("csharp", "sealed record A(int B);\n```\n```json\n{ not csharp"), (
            "CHANGELOG.md", "```csharp\nbroken(\n```")),
        Plant.Innocent("doc-code", "a block that continues", (
            "docs/a.md", "# A\n```csharp\nvar a = 1;\n```\n\n```csharp continues\nConsole.WriteLine(a);\n```\n")),
    ];

    private static (string Path, string Text) Readme(string language, string code) => ("README.md", $"# A\n```{language}\n{code}\n```\n");
}
