using System.Diagnostics;
using System.Text;
using EvenKeel.Cli.Stability.Hosts;

namespace EvenKeel.Cli.Stability.Runs;

/// <summary>How a test process ended.</summary>
internal sealed record ProcessEnd(int ExitCode, bool TimedOut, double Seconds, IReadOnlyList<string> HeldBy,
    IReadOnlyList<string> LeftBehind);

/// <summary>
/// A test process is one run's process in a session of its own, with a mark in its environment by which everything it starts is found
/// again.
/// It always ends: by itself, at its time-out, or with the caller's cancellation, and so does what it started.
/// </summary>
internal sealed class TestProcess(HostCommand command, RunFolder folder, TimeProvider time)
{
    private const int KeptLetters = 200_000;

    // What a pipe of the system holds.
    private const int PipeBytes = 65_536;
    private const string MarkName = "EVENKEEL_RUN";
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan HoldAfter = TimeSpan.FromSeconds(1.5);
    private static readonly string[] Locale = ["LC_ALL", "LC_MESSAGES", "LANG"];
    private static readonly string? Setsid = FindOnPath("setsid");
    private static readonly string? Taskset = FindOnPath("taskset");

    private readonly StringBuilder _output = new();
    private readonly Lock _gate = new();

    /// <summary>What it wrote that was no message of its host, cut at its front when it is long.</summary>
    public string Output
    {
        get { lock (_gate) return _output.ToString(); }
    }

    public static bool CanHoldOnOneProcessor => Taskset is not null;

    public async Task<ProcessEnd> RunAsync(
        RunConditions conditions, TimeSpan timeout, RunObservation? seen, Func<string, double, bool> takeLine,
            CancellationToken cancellation)
    {
        var mark = Guid.NewGuid().ToString("n");
        using var process = new Process { StartInfo = Describe(conditions, mark) };
        using var noise = conditions.Noise ? new CpuNoise() : null;
        var began = time.GetTimestamp();
        process.Start();
        process.StandardInput.Close();
        var readers = Task.WhenAll(
            OnThread(() => Pump(process.StandardOutput.BaseStream, line => takeLine(line, time.GetElapsedTime(began).TotalSeconds))),
            OnThread(() => Pump(process.StandardError.BaseStream, _ => false)));
        var heldBy = new List<string>();
        var timedOut = false;
        try
        {
            timedOut = !await WatchAsync(process, began, timeout, seen, heldBy, cancellation);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
        var seconds = time.GetElapsedTime(began).TotalSeconds;

        // Whatever it left holds its output open: it has to go before the output ends.
        var left = ProcessTable.Descendants(process.Id, $"{MarkName}={mark}");
        foreach (var (id, _) in left)
            ProcessTable.End(id);
        await Task.WhenAny(readers, Task.Delay(TimeSpan.FromSeconds(5), time, CancellationToken.None));
        return new(process.ExitCode, timedOut, seconds, heldBy, [.. left.Select(process => process.Command)]);
    }

    private async Task<bool> WatchAsync(
        Process process, long began, TimeSpan timeout, RunObservation? seen, List<string> heldBy, CancellationToken cancellation)
    {
        var exit = process.WaitForExitAsync(cancellation);
        while (!exit.IsCompleted)
        {
            await Task.WhenAny(exit, Task.Delay(Tick, time, cancellation));
            cancellation.ThrowIfCancellationRequested();
            var elapsed = time.GetElapsedTime(began);
            if (exit.IsCompleted)
                break;
            if (heldBy.Count == 0 && seen is { Finished: true } && elapsed.TotalSeconds - seen.LastEnd > HoldAfter.TotalSeconds)
                heldBy.AddRange(Holders(process.Id));
            if (elapsed > timeout)
                return false;
        }
        await exit;
        return true;
    }

    private static List<string> Holders(int id)
    {
        var holders = ProcessTable.ThreadsOf(id).Select(name => $"thread '{name}'").ToList();
        return holders.Count > 0 ? holders : ["a thread without a name, or a handler of the process's end"];
    }

    private static Task OnThread(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    // A suite writes some lines a test, each by itself: read as they come they would wake this process for every one, beside the tests on
    // the same processors. A pause after each look lets them gather, far less than a pipe holds. On a thread of its own, because the
    // asynchronous pipe wakes the process for each write all the same.
    private void Pump(Stream stream, Func<string, bool> take)
    {
        var lines = new LineSplitter(line =>
        {
            if (!take(line))
                Keep(line);
        });
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, PipeBytes);
        var letters = new char[PipeBytes];
        using var never = new ManualResetEventSlim();
        while (reader.Read(letters) is var count and > 0)
        {
            lines.Add(letters.AsSpan(0, count));
            never.Wait(Gather);
        }
        lines.End();
    }

    private void Keep(string line)
    {
        lock (_gate)
        {
            _output.AppendLine(line);
            if (_output.Length > KeptLetters)
                _output.Remove(0, _output.Length - KeptLetters / 2);
        }
    }

    private ProcessStartInfo Describe(RunConditions conditions, string mark)
    {
        List<string> line = [command.Program, .. command.Arguments];
        if (conditions.OneProcessor && Taskset is not null)
            line.InsertRange(0, [Taskset, "-c", "0"]);
        if (Setsid is not null)
            line.Insert(0, Setsid);
        var start = new ProcessStartInfo(line[0], line.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(
                command.Arguments.LastOrDefault(argument => argument.EndsWith(".dll", StringComparison.Ordinal)))
                ?? Path.GetDirectoryName(command.Program)!,
        };
        var environment = start.Environment;
        environment[MarkName] = mark;
        environment["TMPDIR"] = environment["TMP"] = environment["TEMP"] = folder.Temporary;
        environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = environment["TESTINGPLATFORM_TELEMETRY_OPTOUT"] = "1";
        // Names of tests come as text: where no language is set, that text would be ASCII with question marks in it.
        if (!Locale.Any(name => environment.TryGetValue(name, out var set) && set is not (null or "" or "C" or "POSIX")))
            environment["LC_ALL"] = "C.UTF-8";
        foreach (var (name, value) in command.Environment)
            environment[name] = value;
        Apply(conditions, environment);
        return start;
    }

    private static void Apply(RunConditions conditions, IDictionary<string, string?> environment)
    {
        if (conditions.Culture is { } culture)
            environment["LC_ALL"] = environment["LANG"] = culture.Replace('-', '_') + ".UTF-8";
        if (conditions.TimeZone is { } zone)
            environment["TZ"] = zone;
        if (conditions.ProcessorCount is { } count)
            environment["DOTNET_PROCESSOR_COUNT"] = $"{count}";
        else if (conditions.OneProcessor)
            environment["DOTNET_PROCESSOR_COUNT"] = $"{Environment.ProcessorCount}";
    }

    private static string? FindOnPath(string program) =>
        OperatingSystem.IsWindows()
            ? null
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
                .Select(folder => Path.Combine(folder, program))
                .FirstOrDefault(File.Exists);
}
