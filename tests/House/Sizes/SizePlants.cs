namespace House.Sizes;

/// <summary>Files, methods, lines and constructors one above each budget, and exactly at it.</summary>
internal static class SizePlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("file-lines", "401 lines", 401, ("src/A.cs", Lines(401))),
        Plant.Innocent("file-lines", "400 lines", ("src/A.cs", Lines(400))),

        Plant.Guilty("method-lines", "a method of 71 lines", 1, ("src/A.cs", $"class A {{ void M() {{{Lines(70)}}} }}")),
        Plant.Innocent("method-lines", "a method of 70 lines", ("src/A.cs", $"class A {{ void M() {{{Lines(69)}}} }}")),
        Plant.Guilty("method-lines", "a lambda counts within its method", 1,
            ("src/A.cs", $"class A {{ void M() {{ F(() => {{{Lines(70)}}}); }} }}")),
        Plant.Guilty("method-lines", "an accessor", 1, ("src/A.cs", $"class A {{ int P {{ get {{{Lines(70)}return 1; }} }} }}")),
        Plant.Guilty("method-lines", "a lambda in a field", 1, ("src/A.cs", $"class A {{ Action f = () => {{{Lines(70)}}}; }}")),
        new("method-lines", "a local function and the method around it",
            [("src/A.cs", $"class A {{ void M() {{ void L() {{{Lines(70)}}} }} }}")], [1, 1]),
        Plant.Guilty("method-lines", "top-level statements", 1, ("src/A.cs", string.Concat(Enumerable.Repeat("F();\n", 71)))),

        Plant.Guilty("line-columns", "141 columns", 2, ("src/A.cs", "\n//" + new string('x', 139))),
        Plant.Innocent("line-columns", "140 columns", ("src/A.cs", "\n//" + new string('x', 138))),

        Plant.Guilty("constructor-parameters", "six", 1, ("src/A.cs", "class A { A(int a, int b, int c, int d, int e, int f) { } }")),
        Plant.Guilty("constructor-parameters", "six in a primary constructor", 1,
            ("src/A.cs", "class A(int a, int b, int c, int d, int e, int f);")),
        Plant.Innocent("constructor-parameters", "five, and a method of six", (
            "src/A.cs", "class A(int a, int b, int c, int d, int e) { void M(int a, int b, int c, int d, int e, int f) { } }")),
        Plant.Innocent("constructor-parameters", "a record of twelve", ("src/A.cs", $"record A({Parameters(12)});")),
        Plant.Guilty("constructor-parameters", "a record of thirteen", 1, ("src/A.cs", $"record A({Parameters(13)});")),
    ];

    private static string Lines(int count) => string.Concat(Enumerable.Repeat("// why\n", count));

    private static string Parameters(int count) => string.Join(", ", Enumerable.Range(1, count).Select(number => $"int P{number}"));
}
