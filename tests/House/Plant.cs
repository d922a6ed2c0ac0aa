namespace House;

/// <summary>
/// A plant is a small repository made up to break one rule on known lines, or to come close without breaking it (no lines).
/// </summary>
internal sealed record Plant(string Rule, string Story, IReadOnlyList<(string Path, string Text)> Files, IReadOnlyList<int> Lines)
{
    public static Plant Guilty(string rule, string story, int line, params (string Path, string Text)[] files) =>
        new(rule, story, files, [line]);

    public static Plant Innocent(string rule, string story, params (string Path, string Text)[] files) => new(rule, story, files, []);

    public override string ToString() => $"{Rule}: {Story}";
}
