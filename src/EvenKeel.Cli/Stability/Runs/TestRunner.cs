using EvenKeel.Cli.Stability.Hosts;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Runs;

/// <summary>The test runner runs one assembly in fresh processes, one at a time, and judges each run.</summary>
internal sealed class TestRunner(ITestHost host, string rawFolder, TimeSpan timeout, TimeProvider time) : ISuiteRunner
{
    // Kept short: sockets in a temporary folder have about a hundred letters for their whole path.
    private readonly string _temporary = Path.Combine(Path.GetTempPath(), $"ek{Environment.ProcessId}");

    // What runtimes and tools leave for themselves; it is not the tests'.
    private static readonly string[] NobodysFiles =
        ["dotnet-diagnostic-", "clr-debug-pipe-", ".dotnet", "MSBuildTemp", "VBCSCompiler", "NuGetScratch", "testhost", "vstest",
            "CoreFxPipe_", "NUnit."];

    private int _runs;
    private int _folders;

    public TestAssembly Assembly => host.Assembly;

    public bool ImposesOrder => host.ImposesOrder;

    public string OrderNote => host.OrderNote;

    public TimeSpan Timeout => timeout;

    public Catalogue Catalogue { get; private set; } = new([]);

    /// <summary>Asks for the tests twice: rows of a theory that differ from process to process are taken as one test.</summary>
    public async Task<string?> DiscoverAsync(Func<TestCase, bool> filter, CancellationToken cancellation)
    {
        var (first, trouble) = await ListAsync(cancellation);
        if (trouble is not null)
            return trouble;
        var second = (await ListAsync(cancellation)).Tests;
        var stable = second.Select(test => test.Id).ToHashSet(StringComparer.Ordinal);
        var wandering = first.Where(test => !stable.Contains(test.Id)).Select(test => test.FullName).ToHashSet(StringComparer.Ordinal);
        Wandering = [.. wandering];
        Catalogue = Catalogue.Of(first.Where(test => test.SkipReason is null && !wandering.Contains(test.FullName)).Where(filter));
        Skipped = first.Count(test => test.SkipReason is not null && filter(test));
        return null;
    }

    /// <summary>Tests whose names differ from process to process, by method.</summary>
    public IReadOnlyList<string> Wandering { get; private set; } = [];

    public int Skipped { get; private set; }

    public async Task<RunRecord> RunAsync(RunSpec spec, CancellationToken cancellation)
    {
        // 1. A place of its own.
        spec = spec with { Limit = spec.Limit ?? timeout };
        var folder = CreateFolder($"{++_runs:0000}-{(spec.IsExperiment ? "experiment" : $"workers{spec.Workers}")}-{spec.Purpose}");
        try
        {
            // 2. One process to its end, whatever that is.
            var seen = new RunObservation(Catalogue.Count);
            var command = host.Run(spec, Catalogue, folder);
            var process = new TestProcess(WithHook(command, folder.Remains), folder, time);
            var started = time.GetUtcNow();
            var end = await process.RunAsync(
                spec.Conditions, spec.Limit.Value + host.Grace, seen,
                (line, second) => host.ReadLine(line, second, Catalogue, seen), cancellation);
            host.ReadFile(folder, started, Catalogue, seen);

            // 3. Judged by what was expected, not by what was said.
            var missing = spec.Order.Where(test => seen.Outcomes[test] == TestOutcome.Unheard).ToList();
            var (outcome, explanation) = RunJudge.Judge(seen, end.ExitCode, end.TimedOut, missing, host.FailureCodes);
            var record = new RunRecord(spec, outcome, end.ExitCode)
            {
                Seconds = end.Seconds,
                TeardownSeconds = seen.LastEnd >= 0 && seen.Finished ? Math.Max(0, end.Seconds - seen.LastEnd) : 0,
                Outcomes = seen.Outcomes,
                StartSeconds = seen.StartSeconds,
                EndSeconds = seen.EndSeconds,
                Started = seen.Started,
                Running = outcome == RunOutcome.Crash && seen.Running.Count == 0 ? missing : seen.Running,
                Missing = missing,
                Failures = seen.Failures,
                HeldBy = end.HeldBy,
                Leaks = [.. LeaksOf(folder, end)],
                Explanation = explanation,
                Folder = folder.Results,
            };
            Keep(folder, process, record);
            return record;
        }
        finally
        {
            Remove(folder.Temporary);
        }
    }

    private async Task<(IReadOnlyList<TestCase> Tests, string? Trouble)> ListAsync(CancellationToken cancellation)
    {
        var folder = CreateFolder("discovery");
        try
        {
            var lines = new List<string>();
            if (host.List(folder, fullNames: true) is { } before)
                await new TestProcess(WithHook(before, null), folder, time)
                    .RunAsync(RunConditions.Quiet, timeout, null, (_, _) => false, cancellation);
            var process = new TestProcess(WithHook(host.List(folder, fullNames: false)!, null), folder, time);
            bool Take(string line, double second)
            {
                lock (lines)
                    lines.Add(line);
                return line.StartsWith('{');
            }
            var end = await process.RunAsync(RunConditions.Quiet, timeout, null, Take, cancellation);
            if (end.TimedOut)
                return ([], $"{host.Assembly.Name}: listing its tests took longer than {timeout}.");
            var tests = host.ReadList(lines, folder);
            return end.ExitCode != 0 && tests.Count == 0
                ? ([], $"{host.Assembly.Name}: its tests could not be listed, exit code {end.ExitCode}. {process.Output.Trim()}")
                : (tests, null);
        }
        finally
        {
            Remove(folder.Temporary);
        }
    }

    private RunFolder CreateFolder(string name)
    {
        // A temporary folder that could not be removed stays with its number: the next one has another.
        return RunFolder.CreateEmpty(Path.Combine(rawFolder, host.Assembly.Name, name), Path.Combine(_temporary, $"{++_folders}"));
    }

    private HostCommand WithHook(HostCommand command, string? remains)
    {
        var hook = Path.Combine(AppContext.BaseDirectory, "EvenKeel.Hook.dll");
        if (!File.Exists(hook))
            return command;
        var environment = new Dictionary<string, string>(command.Environment) { ["DOTNET_STARTUP_HOOKS"] = hook };
        if (remains is not null)
        {
            environment["EVENKEEL_REMAINS"] = remains;
            environment["EVENKEEL_TEST_HOST"] = host.Assembly.Framework == TestFramework.XunitV3 ? host.Assembly.Name : "testhost";
        }
        return command with { Environment = environment };
    }

    private static IEnumerable<Leak> LeaksOf(RunFolder folder, ProcessEnd end)
    {
        foreach (var command in end.LeftBehind.Where(_ => !end.TimedOut))
            yield return new("process", command);
        if (File.Exists(folder.Remains))
        {
            foreach (var line in File.ReadLines(folder.Remains).Select(line => line.Split('\t', 2)).Where(line => line.Length == 2))
                yield return new(line[0], line[1]);
        }
        // A test may have removed the folder itself: then nothing lies in it.
        if (end.TimedOut || end.ExitCode is not (0 or 1) || !Directory.Exists(folder.Temporary))
            yield break;
        foreach (var entry in Directory.EnumerateFileSystemEntries(folder.Temporary).Select(Path.GetFileName).OfType<string>())
        {
            if (!NobodysFiles.Any(own => entry.StartsWith(own, StringComparison.OrdinalIgnoreCase)))
                yield return new("file", entry);
        }
    }

    private static void Keep(RunFolder folder, TestProcess process, RunRecord record)
    {
        if (record.Outcome != RunOutcome.Passed && process.Output.Length > 0)
            File.WriteAllText(Path.Combine(folder.Results, "output.txt"), process.Output);
    }

    // A test may have left something that cannot be removed: it stays in the system's temporary folder, where it would have been anyway.
    private void Remove(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
            if (!Directory.EnumerateFileSystemEntries(_temporary).Any())
                Directory.Delete(_temporary);
        }
        catch (Exception kept) when (kept is IOException or UnauthorizedAccessException)
        {
            Directory.CreateDirectory(folder);
        }
    }
}
