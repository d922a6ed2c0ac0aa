using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace EvenKeel.Cli.Tests.Broker;

/// <summary>A broker process is the real <c>evenkeel broker</c>, as it is built, on a port of the system's choice.</summary>
internal sealed partial class BrokerProcess : IDisposable
{
    public const int SigInt = 2;
    public const int SigTerm = 15;
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _printed = new();
    private readonly TaskCompletionSource<string> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private BrokerProcess(Process process) => _process = process;

    public string Bootstrap { get; private set; } = "";

    public string Printed => string.Join('\n', _printed);

    private static string Executable =>
        Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "evenkeel.exe" : "evenkeel");

    /// <summary>Starts a broker, on a free port if it is 0, and waits until its last line about itself is printed.</summary>
    public static async Task<BrokerProcess> StartAsync(int port, CancellationToken cancellation, params string[] options)
    {
        var broker = new BrokerProcess(Create(Executable, ["broker", "--port", $"{port}", .. options]));
        broker._process.OutputDataReceived += (_, line) => broker.Keep(line.Data);
        broker._process.ErrorDataReceived += (_, line) => broker.Keep(line.Data);
        broker._process.Exited += (_, _) => broker._listening.TrySetException(new InvalidOperationException("It ended."));
        broker._process.Start();
        broker._process.BeginOutputReadLine();
        broker._process.BeginErrorReadLine();
        try
        {
            broker.Bootstrap = await broker._listening.Task.WaitAsync(Deadline, cancellation);
            return broker;
        }
        catch (Exception failed) when (failed is TimeoutException or InvalidOperationException)
        {
            var printed = broker.Printed;
            broker.Dispose();
            throw new InvalidOperationException(
                $"The broker did not start within {Deadline}. {failed.Message} It printed: {printed}", failed);
        }
    }

    /// <summary>Runs the command, or another program, to its end; null when the program is not installed.</summary>
    public static async Task<(int Exit, string Output, string Errors)?> RunAsync(
        string? program, CancellationToken cancellation, params string[] arguments)
    {
        using var process = Create(program ?? Executable, arguments);
        try
        {
            process.Start();
        }
        catch (Win32Exception) when (program is not null)
        {
            return null;
        }
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        try
        {
            await process.WaitForExitAsync(cancellation).WaitAsync(Deadline, cancellation);
        }
        catch (TimeoutException)
        {
            process.Kill();
            throw new TimeoutException($"{process.StartInfo.FileName} did not end within {Deadline}: {await output}{await errors}");
        }
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>Sends a signal and waits for the exit code.</summary>
    public async Task<int> EndAsync(int signal, CancellationToken cancellation)
    {
        if (SendSignal(_process.Id, signal) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        await _process.WaitForExitAsync(cancellation).WaitAsync(Deadline, cancellation);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private static Process Create(string program, IEnumerable<string> arguments) => new()
    {
        EnableRaisingEvents = true,
        StartInfo = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        },
    };

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);

    [GeneratedRegex(@"bootstrap address (127\.0\.0\.1:\d+)$")]
    private static partial Regex Address();

    private void Keep(string? line)
    {
        if (line is null)
            return;
        _printed.Enqueue(line);
        if (line.StartsWith("Ctrl-C", StringComparison.Ordinal))
            _listening.TrySetResult(_printed.Select(text => Address().Match(text)).First(match => match.Success).Groups[1].Value);
    }
}
