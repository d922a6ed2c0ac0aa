using System.Diagnostics;
using Xunit;

namespace EvenKeel.Testing.Tests;

/// <summary>Another process of this executable that runs one explicit test, with settings for it in its environment.</summary>
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

    public static ChildProcess Start<T>(string method, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet",
            [typeof(T).Assembly.Location, "--filter-method", $"{typeof(T).FullName}.{method}", "--explicit", "only", "--no-progress"])
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

    public async Task PassAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Limit);
        Assert.True(_process.ExitCode == 0, $"The child ended with {_process.ExitCode}:\n{await _output}\n{await _errors}");
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
