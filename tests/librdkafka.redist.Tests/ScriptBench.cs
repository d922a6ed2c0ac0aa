using System.Diagnostics;

namespace Librdkafka.Redist.Tests;

/// <summary>How one run of the script ended.</summary>
internal sealed record ScriptEnd(int ExitCode, string Output, string Error);

/// <summary>A bench on which librdkafka.sh runs alone: a cache, a temporary folder and a PATH of its own, gone afterwards.</summary>
internal sealed class ScriptBench : IDisposable
{
    public const string Platform = "test-x64";

    private static readonly TimeSpan RunDeadline = TimeSpan.FromSeconds(60);

    private static readonly string[] Tools =
    [
        "sh", "bash", "tar", "gzip", "sed", "tr", "cut", "grep", "uname", "sha256sum", "shasum", "cat", "find", "head", "tail",
        "mkdir", "ln", "rm", "mv", "cp", "mktemp", "readlink", "sleep", "env", "getconf", "strip", "make", "tee", "cc", "as", "ld", "npm",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("librdkafka-script-").FullName;

    public ScriptBench()
    {
        Directory.CreateDirectory(ToolFolder);
        Directory.CreateDirectory(TemporaryFolder);
        foreach (var tool in Tools)
        {
            if (FindOnPath(tool) is { } path)
            {
                File.CreateSymbolicLink(Path.Combine(ToolFolder, tool), path);
            }
        }
    }

    public string Cache => Path.Combine(_folder, "cache");

    public string TemporaryFolder => Path.Combine(_folder, "tmp");

    public Dictionary<string, string> Environment { get; } = [];

    private string ToolFolder => Path.Combine(_folder, "bin");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public void RemoveTool(string tool) => File.Delete(Path.Combine(ToolFolder, tool));

    /// <summary>Puts a shell script in the place of a tool; in it, <c>$BENCH</c> is this bench's folder.</summary>
    public void ReplaceTool(string tool, string body)
    {
        RemoveTool(tool);
        var path = Path.Combine(ToolFolder, tool);
        File.WriteAllText(path, $"#!/bin/sh\nset -eu\nBENCH='{_folder}'\n{body}\n");
        MakeExecutable(path);
    }

    /// <summary>
    /// Lets npm deliver, under the expected checksum, a source whose configure and make are these. The other tools stay real.
    /// </summary>
    public void DeliverSource(string configure, string make)
    {
        var source = Path.Combine(_folder, "delivery", "package", "deps", "librdkafka");
        Directory.CreateDirectory(Path.Combine(source, "src"));
        File.WriteAllText(Path.Combine(source, "LICENSES.txt"), "licences\n");
        File.WriteAllText(Path.Combine(source, "configure"), configure + "\n");
        File.WriteAllText(Path.Combine(source, "Makefile"), $"BENCH={_folder}\nlibs:\n\t{make}\n");
        ReplaceTool("npm", "tar -czf source.tgz -C \"$BENCH/delivery\" package");
        ReplaceTool("sha256sum", $"echo \"{ExpectedChecksum()}  $1\"");
    }

    public string PathOf(string name) => Path.Combine(_folder, name);

    public string WriteFile(string name, string text)
    {
        var path = PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public Task<ScriptEnd> Build() => Run("build", Cache, Platform);

    public async Task<ScriptEnd> Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(ToolFolder, "sh"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        start.ArgumentList.Add(ScriptPath);
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var inherited in new[] { "CC", "CPPFLAGS", "CFLAGS", "LDFLAGS" })
        {
            start.Environment.Remove(inherited);
        }

        start.Environment["PATH"] = ToolFolder;
        start.Environment["TMPDIR"] = TemporaryFolder;
        foreach (var (name, value) in Environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(RunDeadline);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            var error = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return new ScriptEnd(process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static string ScriptPath => Path.Combine(AppContext.BaseDirectory, "librdkafka.sh");

    public static string ExpectedChecksum() =>
        File.ReadLines(ScriptPath).Single(line => line.StartsWith("npm_sha256=", StringComparison.Ordinal))["npm_sha256=".Length..];

    private static string? FindOnPath(string tool) =>
        System.Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, tool)).FirstOrDefault(File.Exists);

    private static void MakeExecutable(string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
