namespace EvenKeel.Cli.Stability.Suites;

/// <summary>
/// A test case is one test that an assembly promises to run: the expected set is made of them, and a run that lacks one is not green.
/// </summary>
internal sealed record TestCase(int Index, string Id, string Name, string Class, string Method)
{
    /// <summary>What runs one after another within itself; tests of different collections may run at once.</summary>
    public string Collection { get; init; } = "";

    /// <summary>The groups that it runs in, the outermost first: tests of one group run together.</summary>
    public IReadOnlyList<string> Path { get => field ?? [Collection, Class, Method]; init; }

    /// <summary>How many results it has to report: more than one where a suite gives several tests the same name.</summary>
    public int Times { get; init; } = 1;

    public bool IsAsync { get; init; }

    /// <summary>Why it never runs, when the suite says so.</summary>
    public string? SkipReason { get; init; }

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Traits { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>The name by which VSTest selects it.</summary>
    public string VsTestName { get; init; } = "";

    public string Namespace => Class.LastIndexOf('.') is var dot and > 0 ? Class[..dot] : "";

    public string FullName => $"{Class}.{Method}";
}
