using System.Diagnostics;
using Xunit;

namespace EvenKeel.Testing.Tests;

/// <summary>Another process of this executable that runs explicit tests alone, with settings for it in its environment.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    private ChildProcess(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _errors = process.StandardError.ReadToEndAsync();
    }

    public static ChildProcess Start<T>(string method, params (string Name, string Value)[] settings) =>
        Start(typeof(T), ["--filter-method", $"{typeof(T).FullName}.{method}"], settings);

    public static ChildProcess StartClasses(Type[] classes, params (string Name, string Value)[] settings) =>
        StartClasses(classes, [], settings);

    public static ChildProcess StartClasses(Type[] classes, string[] arguments, params (string Name, string Value)[] settings) =>
        Start(classes[0], [.. classes.SelectMany(suite => new[] { "--filter-class", suite.FullName! }), .. arguments], settings);

    private static ChildProcess Start(Type type, string[] filter, (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo(
            "dotnet", [type.Assembly.Location, .. filter, "--explicit", "only", "--no-progress", "--output", "Detailed"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        return new ChildProcess(Process.Start(start)!);
    }

    /// <summary>A setting of this process, which somebody started as a child.</summary>
    public static string Setting(string name) =>
        Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is set for children alone.");

    /// <summary>Waits until the child has written a file and renamed it to its name.</summary>
    public async Task<string[]> ReadFileAsync(string path)
    {
        var start = Stopwatch.GetTimestamp();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!File.Exists(path))
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(start) > Limit)
                throw new TimeoutException($"The child did not write {path} (exited: {_process.HasExited}).");
            await tick.WaitForNextTickAsync();
        }
        return await File.ReadAllLinesAsync(path);
    }

    public static void WriteFile(string path, IEnumerable<string> lines)
    {
        File.WriteAllLines(path + ".part", lines);
        File.Move(path + ".part", path);
    }

    /// <summary>Waits for its end.</summary>
    /// <param name="exitCode">0: passed; 2: a test failed.</param>
    /// <returns>What it printed.</returns>
    public async Task<string> EndAsync(int exitCode = 0)
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Limit);
        Assert.True(_process.ExitCode == exitCode, $"The child ended with {_process.ExitCode}:\n{await _output}\n{await _errors}");
        return await _output;
    }

    /// <summary>As kill -9 does.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync().WaitAsync(Limit);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
    }
}
