using System.Runtime.CompilerServices;

namespace House;

/// <summary>
/// A repository is a set of files by path from the root: the checkout on disk, or one made up in memory to plant a violation.
/// </summary>
internal sealed class Repository
{
    private static readonly string[] OutputFolders =
        ["bin", "obj", ".git", ".vs", ".vscode", ".idea", "artifacts", "TestResults", "node_modules", "metricstream-data",
            "stability-report",
            "BenchmarkDotNet.Artifacts"];

    private static readonly Lazy<Repository> OnDisk = new(() => Read(FindRoot()));

    private readonly Dictionary<string, Lazy<string>> _files;
    private readonly Lazy<IReadOnlyList<SourceFile>> _sources;
    private readonly Lazy<IReadOnlyList<ProjectFile>> _projects;

    private Repository(Dictionary<string, Lazy<string>> files)
    {
        _files = files;
        Paths = [.. files.Keys.Order(StringComparer.Ordinal)];
        _sources = new(() => [.. Paths.Where(IsJudgedSource).AsParallel().AsOrdered().Select(path => new SourceFile(path, this[path]))]);
        _projects = new(() => [.. Paths.Where(IsJudgedProject).Select(path => ProjectFile.Parse(path, this[path]))]);
    }

    /// <summary>The checkout that these tests were built from.</summary>
    public static Repository Checkout => OnDisk.Value;

    public IReadOnlyList<string> Paths { get; }

    /// <summary>Sources of src, tests, bench and samples; the suites in tests/Fixtures are unstable on purpose and keep no style.</summary>
    public IReadOnlyList<SourceFile> Sources => _sources.Value;

    public IReadOnlyList<ProjectFile> Projects => _projects.Value;

    public string this[string path] => _files[path].Value;

    public static Repository Of(params IEnumerable<(string Path, string Text)> files) =>
        new(files.ToDictionary(file => file.Path, file => new Lazy<string>(file.Text)));

    public static string FindRoot([CallerFilePath] string here = "")
    {
        // The output folder first: a deterministic build may have mapped the path of this file away.
        foreach (var start in new[] { AppContext.BaseDirectory, Path.GetDirectoryName(here) })
        {
            for (var folder = start; !string.IsNullOrEmpty(folder); folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, "EvenKeel.slnx")))
                {
                    return folder;
                }
            }
        }

        throw new InvalidOperationException($"No EvenKeel.slnx above {AppContext.BaseDirectory}: run the tests from within a checkout.");
    }

    public bool HasFile(string path) => _files.ContainsKey(path);

    public bool HasFolder(string path) => Paths.Any(file => file.StartsWith(path.TrimEnd('/') + "/", StringComparison.Ordinal));

    public IEnumerable<string> Markdown() =>
        Paths.Where(path => path.EndsWith(".md", StringComparison.Ordinal)
            && !path.StartsWith("tests/Fixtures/", StringComparison.Ordinal));

    private static Repository Read(string root)
    {
        var files = new Dictionary<string, Lazy<string>>();
        var folders = new Stack<DirectoryInfo>([new DirectoryInfo(root)]);
        while (folders.TryPop(out var folder))
        {
            foreach (var entry in folder.EnumerateFileSystemInfos().Where(entry => entry.LinkTarget is null))
            {
                if (entry is DirectoryInfo child && !OutputFolders.Contains(child.Name))
                {
                    folders.Push(child);
                }
                else if (entry is FileInfo)
                {
                    files.Add(Path.GetRelativePath(root, entry.FullName).Replace('\\', '/'), new(() => File.ReadAllText(entry.FullName)));
                }
            }
        }

        return new Repository(files);
    }

    private static bool IsJudged(string path) =>
        path.Split('/')[0] is "src" or "tests" or "bench" or "samples" or "native"
            && !path.StartsWith("tests/Fixtures/", StringComparison.Ordinal);

    private static bool IsJudgedSource(string path) => IsJudged(path) && path.EndsWith(".cs", StringComparison.Ordinal);

    private static bool IsJudgedProject(string path) => IsJudged(path) && path.EndsWith(".csproj", StringComparison.Ordinal);
}
