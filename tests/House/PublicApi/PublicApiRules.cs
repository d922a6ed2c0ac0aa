using House.Docs;
using Microsoft.CodeAnalysis;

namespace House.PublicApi;

/// <summary>
/// The public surface of each packed library is a file in the repository: a change to it is seen in review, never by users first.
/// </summary>
internal static class PublicApiRules
{
    private const string Update = "UPDATE_PUBLIC_API";

    public static IReadOnlyList<Rule> All { get; } =
    [
        new("public-api", $"if the change is meant, run this test with {Update}=1, review the difference and commit it; a removal is a "
            + $"break for users.", Changes),
    ];

    /// <summary>The first differences between the listing that is kept and the one that is, as lines of the kept file.</summary>
    public static IEnumerable<Violation> Differences(string path, string kept, string current)
    {
        var (keptLines, currentLines) = (kept.ReplaceLineEndings("\n").Split('\n'), current.Split('\n'));
        foreach (var (line, index) in keptLines.Select((line, index) => (line, index)).Where(pair => !currentLines.Contains(pair.line)))
        {
            yield return new(path, index + 1, "", $"gone: {line.Trim()}");
        }

        foreach (var line in currentLines.Where(line => !keptLines.Contains(line)))
        {
            yield return new(path, keptLines.Length, "", $"new: {line.Trim()}");
        }
    }

    private static IEnumerable<Violation> Changes(Repository repository)
    {
        foreach (var library in repository.Projects.Where(project => project.IsPackedLibrary))
        {
            var assembly = CodeBlockRules.PlatformAssemblies().FirstOrDefault(
                path => Path.GetFileNameWithoutExtension(path) == library.Name);
            if (assembly is null)
            {
                yield return new("tests/House/House.csproj", 1, library.Name,
                    $"refer to {library.Path}, so that its listing can be compared");
                continue;
            }

            var path = $"src/{library.Name}/PublicApi.txt";
            var current = ApiListing.Of(MetadataReference.CreateFromFile(assembly));
            if (Environment.GetEnvironmentVariable(Update) == "1" && repository == Repository.Checkout)
            {
                File.WriteAllText(Path.Combine(Repository.FindRoot(), path), current);
                continue;
            }

            if (!repository.HasFile(path))
            {
                yield return new(path, 1, library.Name, $"the listing of {library.Name} is missing");
                continue;
            }

            foreach (var difference in Differences(path, repository[path], current))
            {
                yield return difference;
            }
        }
    }
}
