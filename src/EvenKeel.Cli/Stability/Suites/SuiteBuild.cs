using System.Diagnostics;
using System.Text.Json;

namespace EvenKeel.Cli.Stability.Suites;

/// <summary>The suite could not be run: a build error, no tests, nothing to recognise. The message says what and what to do.</summary>
internal sealed class SuiteNotRunException(string message) : Exception(message);

/// <summary>A suite's build turns a path into test assemblies: a dll as it is, a project or solution by building it once.</summary>
internal static class SuiteBuild
{
    private static readonly string[] ProjectEndings = [".csproj", ".fsproj", ".vbproj"];
    private static readonly string[] SolutionEndings = [".slnx", ".sln"];

    /// <summary>
    /// What the path names: the file itself, or the one project or solution in the folder. Null with the reason when it is none.
    /// </summary>
    public static (string? File, string? Violation) Locate(string path)
    {
        if (File.Exists(path))
        {
            var ending = Path.GetExtension(path);
            return ending == ".dll" || ProjectEndings.Contains(ending) || SolutionEndings.Contains(ending)
                ? (Path.GetFullPath(path), null)
                : (null, $"PATH is '{path}', which is no test project, solution or built test assembly (.dll).");
        }
        if (!Directory.Exists(path))
            return (null, $"PATH is '{path}', which does not exist.");
        foreach (var endings in new[] { ProjectEndings, SolutionEndings })
        {
            var found = Directory.EnumerateFiles(path).Where(file => endings.Contains(Path.GetExtension(file))).ToList();
            if (found.Count == 1)
                return (Path.GetFullPath(found[0]), null);
            if (found.Count > 1)
                return (null, $"PATH is '{path}', which holds {found.Count} of {string.Join(", ", found.Select(Path.GetFileName))}: "
                    + $"name one.");
        }
        return (null, $"PATH is '{path}', a folder without a project or solution in it.");
    }

    public static async Task<IReadOnlyList<TestAssembly>> BuildAsync(string file, Action<string> say, CancellationToken cancellation)
    {
        if (Path.GetExtension(file) == ".dll")
        {
            var framework = TestAssembly.Recognise(file);
            return framework == TestFramework.None
                ? throw new SuiteNotRunException($"{file} refers to none of xunit, xunit v3, NUnit and MSTest: is it a test assembly?")
                : [new(file, framework, null)];
        }
        say($"Building {Path.GetFileName(file)}");
        var (code, output) = await DotnetAsync(["build", file, "-v", "q", "-nologo"], Path.GetDirectoryName(file)!, cancellation);
        if (code != 0)
            throw new SuiteNotRunException($"{file} does not build:\n{Tail(output)}");
        var assemblies = new List<TestAssembly>();
        foreach (var project in await ProjectsOfAsync(file, cancellation))
            assemblies.AddRange(await AssembliesOfAsync(project, cancellation));
        return assemblies.Count > 0
            ? assemblies
            : throw new SuiteNotRunException($"{file} builds, but no project in it refers to xunit, xunit v3, NUnit or MSTest.");
    }

    private static async Task<IReadOnlyList<string>> ProjectsOfAsync(string file, CancellationToken cancellation)
    {
        if (ProjectEndings.Contains(Path.GetExtension(file)))
            return [file];
        var (code, output) = await DotnetAsync(["sln", file, "list"], Path.GetDirectoryName(file)!, cancellation);
        if (code != 0)
            throw new SuiteNotRunException($"{file} does not tell its projects:\n{Tail(output)}");
        return [.. output.Split('\n').Select(line => line.Trim().Replace('\\', '/'))
            .Where(line => ProjectEndings.Contains(Path.GetExtension(line)))
            .Select(line => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, line)))];
    }

    private static async Task<IEnumerable<TestAssembly>> AssembliesOfAsync(string project, CancellationToken cancellation)
    {
        async Task<Dictionary<string, string>> PropertiesAsync(params string[] arguments)
        {
            var (code, output) = await DotnetAsync(
                ["msbuild", project, "-nologo", "-getProperty:TargetPath", "-getProperty:TargetFramework",
                    "-getProperty:TargetFrameworks", .. arguments],
                Path.GetDirectoryName(project)!, cancellation);
            if (code != 0)
                throw new SuiteNotRunException($"{project} cannot be evaluated:\n{Tail(output)}");
            using var document = JsonDocument.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..]);
            return document.RootElement.GetProperty("Properties").EnumerateObject()
                .ToDictionary(each => each.Name, each => each.Value.GetString() ?? "");
        }
        var properties = await PropertiesAsync();
        List<string> paths = [];
        if (properties["TargetFramework"].Length > 0 || properties["TargetFrameworks"].Length == 0)
        {
            paths.Add(properties["TargetPath"]);
        }
        else
        {
            foreach (var framework in properties["TargetFrameworks"].Split(';', StringSplitOptions.RemoveEmptyEntries))
                paths.Add((await PropertiesAsync($"-property:TargetFramework={framework}"))["TargetPath"]);
        }
        return paths.Where(File.Exists)
            .Select(path => new TestAssembly(path, TestAssembly.Recognise(path), project))
            .Where(assembly => assembly.Framework != TestFramework.None);
    }

    private static async Task<(int Code, string Output)> DotnetAsync(
        IEnumerable<string> arguments, string folder, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        // A build of ours must not be mistaken for one inside the build that started this process.
        foreach (var inherited in start.Environment.Keys
            .Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(inherited);
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        return (process.ExitCode, await output + await errors);
    }

    private static string Tail(string output)
    {
        var errors = output.Split('\n').Where(line => line.Contains("error", StringComparison.OrdinalIgnoreCase))
            .Distinct().Take(10).ToList();
        return errors.Count > 0 ? string.Join('\n', errors) : string.Join('\n', output.Split('\n').TakeLast(10));
    }
}
