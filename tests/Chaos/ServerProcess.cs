using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Chaos;

/// <summary>A server process is the real <c>metricstream serve</c>, as it is built, on a port of the system's choice; what it prints is
/// kept for messages.</summary>
internal sealed partial class ServerProcess : IDisposable
{
    private const int SigTerm = 15;
    private const int MostLinesKept = 200;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _printed = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServerProcess(Process process) => _process = process;

    public Uri Url { get; private set; } = null!;

    /// <summary>Its memory now; 0 once it has ended.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.HasExited ? 0 : _process.WorkingSet64;
        }
    }

    /// <summary>The last lines the server printed, for a message.</summary>
    public string Printed => string.Join(Environment.NewLine, _printed);

    /// <summary>Starts the server on a data folder and waits until it says where it listens. Throws when it ends or stays silent
    /// instead.</summary>
    public static async Task<ServerProcess> StartAsync(string dataFolder, CancellationToken cancellation, params string[] options)
    {
        var executable = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "MetricStream.exe" : "MetricStream");
        var start = new ProcessStartInfo(executable, ["serve", "--port", "0", "--data", dataFolder, .. options])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        var server = new ServerProcess(new Process { StartInfo = start, EnableRaisingEvents = true });
        server._process.OutputDataReceived += (_, line) => server.Keep(line.Data);
        server._process.ErrorDataReceived += (_, line) => server.Keep(line.Data);
        server._process.Exited += (_, _) =>
            server._listening.TrySetException(new InvalidOperationException("The server ended before it listened."));
        server._process.Start();
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        try
        {
            server.Url = await server._listening.Task.WaitAsync(StartLimit, cancellation);
            return server;
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException)
        {
            var printed = server.Printed;
            server.Dispose();
            throw new InvalidOperationException($"The server did not start: {e.Message} It printed:{Environment.NewLine}{printed}", e);
        }
    }

    /// <summary>Ends the process as a power cut would: SIGKILL, nothing is run any more.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks the process to stop and waits for its exit code; null when it is still there after <paramref name="limit"/>.</summary>
    public async Task<int?> TerminateAsync(TimeSpan limit, CancellationToken cancellation)
    {
        if (SendSignal(_process.Id, SigTerm) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
        try
        {
            await _process.WaitForExitAsync(cancellation).WaitAsync(limit, cancellation);
            return _process.ExitCode;
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);

    [GeneratedRegex(@"listening on (http://127\.0\.0\.1:\d+)", RegexOptions.IgnoreCase)]
    private static partial Regex Address();

    private void Keep(string? line)
    {
        if (line is null) return;
        _printed.Enqueue(line);
        if (_printed.Count > MostLinesKept) _printed.TryDequeue(out _);
        if (Address().Match(line) is { Success: true } match) _listening.TrySetResult(new(match.Groups[1].Value));
    }
}
