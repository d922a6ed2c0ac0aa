namespace House.Speech;

/// <summary>Sentences about the workshop instead of the product, put together from halves like the rule itself.</summary>
internal static class SpeechPlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Caught("a path of the workshop", "see /wo" + "rk/notes"),
        Caught("a clone's path", "cd /tmp/w" + "t/queue"),
        Caught("a registry", "https://api.nu" + "get.org/v3/index.json"),
        Caught("a tool", "written with Clau" + "de"),
        Caught("an absent document", "as CON" + "TRACT.md says"),
        Plant.Guilty("speaks-of-the-product", "in a script", 1, ("eng/pack", "cp x /ho" + "me/me/x")),
        Plant.Innocent("speaks-of-the-product", "a document that is here", ("STY" + "LE.md", "style"),
            ("docs/a.md", "as STY" + "LE.md says")),
        Plant.Innocent("speaks-of-the-product", "words that only look alike", (
            "docs/a.md", "the working set, network/, ./work/, farmers, tmp/, a session.timeout.ms, homework/ and root/")),
    ];

    private static Plant Caught(string story, string sentence) =>
        Plant.Guilty("speaks-of-the-product", story, 3, ("src/A.cs", $"class A;\n\n// {sentence}\n"));
}
