namespace House.Docs;

/// <summary>Docs that point at nothing, and docs that keep their word.</summary>
internal static class DocPlants
{
    private const string Walk = "docs/ARCHITECTURE.md";
    private static readonly (string, string) Queue =
        ("src/Q/Log.cs", "class Log(int first) { int _head; void Append() { void Write() { } } enum State { Open } }");
    private static readonly (string, string) Project = ("src/Q/Q.csproj", "<Project />");

    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("doc-references", "no such member", 2, Queue, (Walk, "\nsee `src/Q/Log.cs:Flush`.")),
        Plant.Guilty("doc-references", "no such file", 1, Queue, (Walk, "see `src/Q/Tail.cs:Append`.")),
        Plant.Guilty("doc-references", "no such file, in prose", 1, Queue, ("README.md", "see src/Q/Tail.cs.")),
        Plant.Guilty("doc-references", "a member called but not declared", 1, ("src/Q/Log.cs", "class Log { void M() => Sync(); }"),
            (Walk, "`src/Q/Log.cs:Sync`")),
        Plant.Innocent("doc-references", "a method, a type, a field, an enum member, a local function", Queue, (
            Walk, "`src/Q/Log.cs:Append`, `src/Q/Log.cs:Log.Append`, `src/Q/Log.cs:_head`, `src/Q/Log.cs:Open`, `src/Q/Log.cs:Write`, "
                + "src/Q/Log.cs.")),

        new("walk-steps", "a step without a reference", [Queue, (Walk, Steps(4) + "5. magic\n6. `src/Q/Log.cs`\n")], [5, 6]),
        Plant.Guilty("walk-steps", "four steps", 2, Queue, (Walk, "\n" + Steps(4))),
        Plant.Guilty("walk-steps", "nine steps", 1, Queue, (Walk, Steps(9))),
        Plant.Innocent("walk-steps", "two walks", Queue, (Walk, $"# In\n\n{Steps(5)}\n# Out\n{Steps(8)}that is all")),
        Plant.Innocent("walk-steps", "a step over two lines", Queue, (Walk, Steps(4) + "5. it appends\n   in `src/Q/Log.cs:Append`.\n")),

        Plant.Guilty("doc-links", "no such file", 1, (Walk, "[queue](queue.md)")),
        Plant.Guilty("doc-links", "no such heading", 1, (Walk, "[queue](../README.md#the-queue)"), ("README.md", "# Queue")),
        Plant.Innocent("doc-links", "a file, a folder, a heading, another host", (
            Walk, "[a](../README.md) [b](../src) [c](../README.md#the-queue-its-files \"t\") "
                + "[d](https://example.org/x)\n```sh\n[e](nowhere)\n```"),
            ("README.md", "## The queue: its files"), Queue),

        Plant.Guilty("doc-budgets", "a README of 151 lines", 151, ("README.md", Steps(151))),
        Plant.Guilty("doc-budgets", "a CONTRIBUTING of 41 lines", 41, ("CONTRIBUTING.md", Steps(41))),
        Plant.Innocent("doc-budgets", "150 and 40", ("README.md", Steps(150)), ("CONTRIBUTING.md", Steps(40))),

        Plant.Guilty("licence", "none", 1, Queue),
        Plant.Guilty("licence", "one word more", 1, ("LICENSE", Repository.Checkout["LICENSE"] + "Except us.\n")),
        Plant.Innocent("licence", "as published, with other line endings", (
            "LICENSE", Repository.Checkout["LICENSE"].ReplaceLineEndings("\r\n"))),

        Plant.Guilty("doc-commands", "no such project", 3, Project,
            ("README.md", "```sh\ncd x\ndotnet run -c Release --project src/R -- serve\n```")),
        Plant.Innocent("doc-commands", "a folder and a file", Project, (
            "README.md", "```sh\ndotnet run --project src/Q\ndotnet run --project src/Q/Q.csproj\n```")),
    ];

    private static string Steps(int count) =>
        string.Concat(Enumerable.Range(1, count).Select(number => $"{number}. step in `src/Q/Log.cs:Append`\n"));
}
