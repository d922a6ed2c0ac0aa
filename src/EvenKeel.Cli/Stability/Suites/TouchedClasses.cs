using System.Diagnostics;
using System.Text.RegularExpressions;

namespace EvenKeel.Cli.Stability.Suites;

/// <summary>Touched classes are those declared in source files that differ from a revision of the repository, committed or not.</summary>
internal static partial class TouchedClasses
{
    public static async Task<IReadOnlySet<string>> SinceAsync(string revision, string path, CancellationToken cancellation)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var root = (await GitAsync(folder, cancellation, "rev-parse", "--show-toplevel")).Trim();
        var changed = await GitAsync(root, cancellation, "diff", "--name-only", "--diff-filter=d", revision, "--");
        var added = await GitAsync(root, cancellation, "ls-files", "--others", "--exclude-standard");
        var classes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in (changed + added).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal)))
        {
            var source = await File.ReadAllTextAsync(Path.Combine(root, file), cancellation);
            classes.UnionWith(Declaration().Matches(source).Select(match => match.Groups[1].Value));
        }
        return classes;
    }

    private static async Task<string> GitAsync(string folder, CancellationToken cancellation, params string[] arguments)
    {
        var start = new ProcessStartInfo("git", arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return process.ExitCode == 0
            ? await output
            : throw new SuiteNotRunException($"--since needs git, which said: {(await errors).Trim()}");
    }

    [GeneratedRegex(@"\b(?:class|record|struct)\s+([A-Za-z_]\w*)")]
    private static partial Regex Declaration();
}
