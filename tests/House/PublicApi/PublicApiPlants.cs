using House.Docs;
using Microsoft.CodeAnalysis;

namespace House.PublicApi;

/// <summary>Libraries without a listing, with one that is out of date, and without anything to list.</summary>
internal static class PublicApiPlants
{
    private const string Packed = "<Project><PropertyGroup><IsPackable>true</IsPackable></PropertyGroup></Project>";

    private static readonly (string, string) Queue = ("src/EvenKeel.Queue/EvenKeel.Queue.csproj", Packed);

    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("public-api", "no listing", 1, Queue),
        Plant.Guilty("public-api", "a member that is gone", 1, Queue,
            ("src/EvenKeel.Queue/PublicApi.txt", "    public int DurableQueue.Gone { get; }\n" + Current())),
        Plant.Guilty("public-api", "a library that the house does not refer to", 1,
            ("src/EvenKeel.Unknown/EvenKeel.Unknown.csproj", Packed)),
        Plant.Innocent("public-api", "as listed", Queue, ("src/EvenKeel.Queue/PublicApi.txt", Current())),
        Plant.Innocent("public-api", "a tool", (
            "src/EvenKeel.Cli/EvenKeel.Cli.csproj",
                "<Project><PropertyGroup><IsPackable>true</IsPackable><PackAsTool>true</PackAsTool></PropertyGroup></Project>")),
    ];

    private static string Current() => ApiListing.Of(MetadataReference.CreateFromFile(
        CodeBlockRules.PlatformAssemblies().Single(path => Path.GetFileName(path) == "EvenKeel.Queue.dll")));
}
