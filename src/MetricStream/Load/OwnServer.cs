using System.ComponentModel;
using System.Diagnostics;

namespace MetricStream.Load;

/// <summary>How a server is started: a program, and what it is told before <c>serve</c>.</summary>
internal sealed record OwnServerCommand(string Program, IReadOnlyList<string> Before)
{
    /// <summary>This very program.</summary>
    public static OwnServerCommand Ours()
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("The process does not know its own program.");
        // Run as 'dotnet MetricStream.dll' the program is dotnet.
        return Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase)
            ? new OwnServerCommand(program, [Environment.GetCommandLineArgs()[0]]) : new OwnServerCommand(program, []);
    }
}

/// <summary>A server that is started for a measurement, on a free port, with a data folder that goes with it.</summary>
internal sealed class OwnServer : IAsyncDisposable
{
    private const string Listening = "MetricStream is listening on ";
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly string _folder;

    private OwnServer(Process process, string folder, Uri url) => (_process, _folder, Url) = (process, folder, url);

    public Uri Url { get; }

    /// <exception cref="UnverifiableException">It did not start; the message has what it said.</exception>
    public static async Task<OwnServer> StartAsync(
        OwnServerCommand command, IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("metricstream-compare-").FullName;
        var start = new ProcessStartInfo(command.Program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[.. command.Before, "serve", "--port", "0", "--data", folder, .. arguments])
            start.ArgumentList.Add(argument);
        Process process;
        try
        {
            process = Process.Start(start) ?? throw new UnverifiableException($"'{command.Program}' could not be started.");
        }
        catch (Win32Exception error)
        {
            throw new UnverifiableException($"'{command.Program}' could not be started: {error.Message}", error);
        }
        var said = new List<string>();
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        process.OutputDataReceived += (_, line) => Take(line.Data);
        process.ErrorDataReceived += (_, line) => Take(line.Data);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => address.TrySetCanceled(CancellationToken.None);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            return new OwnServer(process, folder, new Uri(await address.Task.WaitAsync(StartLimit, TimeProvider.System, cancellation)));
        }
        catch (Exception failed) when (failed is TimeoutException or OperationCanceledException)
        {
            await EndAsync(process, folder);
            cancellation.ThrowIfCancellationRequested();
            lock (said)
                throw new UnverifiableException($"A server for the comparison did not start: {string.Join(' ', said.TakeLast(5))}", failed);
        }

        void Take(string? line)
        {
            if (line is null)
                return;
            if (line.StartsWith(Listening, StringComparison.Ordinal))
                address.TrySetResult(line[Listening.Length..]);
            lock (said)
                said.Add(line);
        }
    }

    public ValueTask DisposeAsync() => EndAsync(_process, _folder);

    // Its folder goes with it: nothing is left that an orderly stop would save.
    private static async ValueTask EndAsync(Process process, string folder)
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
