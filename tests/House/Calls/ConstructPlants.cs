namespace House.Calls;

/// <summary>Each swallowed error and each note to self, beside the form that is fine.</summary>
internal static class ConstructPlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("parse-errors", "a missing brace", 1, ("src/A.cs", "class A {")),
        Plant.Innocent("parse-errors", "new syntax", ("src/A.cs", "class A { int P { get => field; set => a?.b = value; } }")),

        Plant.Guilty("empty-catch", "empty", 3, ("src/A.cs", Method("try { F(); }\ncatch (IOException) { }"))),
        Plant.Guilty("empty-catch", "only a comment", 3, ("src/A.cs", Method("try { F(); }\ncatch\n{\n    // Do nothing\n}"))),
        Plant.Innocent("empty-catch", "counted", ("src/A.cs", Method("try { F(); }\ncatch (IOException) { _failures++; }"))),

        Plant.Guilty("async-void", "a method", 1, ("src/A.cs", "class A { async void M() { await F(); } }")),
        Plant.Guilty("async-void", "a local function", 2, ("src/A.cs", Method("async void L() => await F();"))),
        Plant.Innocent("async-void", "a task", ("src/A.cs", "class A { async Task M() { await F(); } void N() { } }")),

        Plant.Guilty("silenced-warning", "a pragma", 2, ("src/A.cs", "\n#pragma warning disable CA1000\nclass A;")),
        Plant.Guilty("silenced-warning", "an attribute", 1, ("src/A.cs", "[SuppressMessage(\"a\", \"b\")]\nclass A;")),
        Plant.Innocent("silenced-warning", "with reasons", (
            "src/A.cs",
            "#pragma warning disable CA1000 // generic by contract\n// The peer does so too.\n#pragma warning disable CA1001\n#pragma "
                + "warning restore CA1001\n"
            + "[SuppressMessage(\"a\", \"b\", Justification = \"c\")] class A;")),

        Plant.Guilty("put-off", "a comment", 2, ("src/A.cs", Method("// TODO close it"))),
        Plant.Guilty("put-off", "documentation", 1, ("src/A.cs", "/// <summary>FIXME</summary>\nclass A;")),
        Plant.Innocent("put-off", "the word in code", ("src/A.cs", Method("F(\"TODO\"); // todos are rows here"))),
    ];

    private static string Method(string body) => $"class A {{ void M() {{\n{body}\n}} }}";
}
