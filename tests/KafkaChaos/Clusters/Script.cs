using System.ComponentModel;
using System.Diagnostics;

namespace KafkaChaos.Clusters;

/// <summary>A script is a process that is run to its end for what it prints.</summary>
internal static class Script
{
    /// <returns>Its standard output, without space at the ends.</returns>
    /// <exception cref="UsageException">There is no such program.</exception>
    /// <exception cref="InvalidOperationException">It failed; the message has what it printed.</exception>
    public static async Task<string> RunAsync(ProcessStartInfo start, TimeSpan limit, CancellationToken cancellation)
    {
        var (exit, output, errors) = await TryRunAsync(start, limit, cancellation);
        return exit == 0
            ? output
            : throw new InvalidOperationException($"{Line(start)} ended with {exit}. It printed: {output} {errors}");
    }

    /// <returns>Its exit code with what it printed.</returns>
    public static async Task<(int Exit, string Output, string Errors)> TryRunAsync(
        ProcessStartInfo start, TimeSpan limit, CancellationToken cancellation)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = Launch(start);
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(limit);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellation.ThrowIfCancellationRequested();
            throw new TimeoutException($"{Line(start)} did not end within {limit}.");
        }
        return (process.ExitCode, (await output).Trim(), (await errors).Trim());
    }

    private static Process Launch(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception missing)
        {
            throw new UsageException($"{start.FileName} cannot be run: {missing.Message}");
        }
    }

    private static string Line(ProcessStartInfo start) => $"{start.FileName} {string.Join(' ', start.ArgumentList)}";
}
