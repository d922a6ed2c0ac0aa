using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace KitBench;

/// <summary>One run of one version of the 60 tests, as a process.</summary>
internal static partial class SuiteProcess
{
    public const int Tests = 60;

    /// <param name="version">Today, Tuned, Kit.</param>
    /// <param name="workers">Collections at once.</param>
    /// <param name="bootstrapServers">Null: the kit's own, embedded.</param>
    /// <param name="seed">Of the order.</param>
    /// <param name="life">After this time it is killed, as kill -9 does; null: it ends by itself.</param>
    /// <param name="hasNoAdmin">The broker is an embedded one.</param>
    public static async Task<SuiteOutcome> RunAsync(
        string version, int workers, string? bootstrapServers, int seed, TimeSpan? life = null, bool hasNoAdmin = false)
    {
        var results = Directory.CreateTempSubdirectory("kit-bench-");
        try
        {
            var start = new ProcessStartInfo(Executable(version),
            [
                "--no-progress", "--no-ansi", "--max-threads", Text(workers), "--seed", Text(seed), "--xunit-diagnostics", "on",
                "--report-xunit", "--report-xunit-filename", "report.xml", "--results-directory", results.FullName,
            ])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["EVENKEEL_BOOTSTRAP_SERVERS"] = bootstrapServers ?? "";
            if (hasNoAdmin)
                start.Environment["ORDER_TESTS_TOPICS_ON_USE"] = "1";
            var watch = Stopwatch.StartNew();
            using var process = Process.Start(start)!;
            var said = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (life is not null && !process.WaitForExit(life.Value))
                process.Kill();
            await process.WaitForExitAsync();
            var command = watch.Elapsed;
            var output = await said + await errors;
            var report = Path.Combine(results.FullName, "report.xml");
            var (passed, phase) = File.Exists(report) ? Read(XDocument.Load(report)) : (0, TimeSpan.Zero);
            return new SuiteOutcome(process.ExitCode, passed, phase, command, Ending(output), process.Id, output);
        }
        finally
        {
            results.Delete(recursive: true);
        }
    }

    /// <summary>From the beginning of the assembly to the end of its last test: what a person waits for, but for start and teardown.</summary>
    private static (int Passed, TimeSpan Phase) Read(XDocument report)
    {
        var assembly = report.Descendants("assembly").Single();
        var ends = assembly.Descendants("test").Select(test => Moment(test, "finish-rtf")).DefaultIfEmpty(Moment(assembly, "start-rtf"));
        var passed = (int?)assembly.Attribute("passed") ?? 0;
        return (passed, ends.Max() - Moment(assembly, "start-rtf"));
    }

    private static DateTimeOffset Moment(XElement element, string name) =>
        DateTimeOffset.Parse(element.Attribute(name)!.Value, CultureInfo.InvariantCulture);

    private static TimeSpan? Ending(string output) =>
        EndOfRun().Match(output) is { Success: true } match
            ? TimeSpan.FromMilliseconds(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
            : null;

    private static string Executable(string version)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        var configuration = folder.Parent!.Name;
        while (!File.Exists(Path.Combine(folder.FullName, "EvenKeel.slnx")))
            folder = folder.Parent ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not in the repository.");
        return Path.Combine(
            folder.FullName, "samples", "OrderTests", version, "bin", configuration, "net10.0", $"OrderTests.{version}");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("the run ended in ([0-9]+) ms")]
    private static partial Regex EndOfRun();
}

/// <summary>What one run came to. The ending is told by the kit alone.</summary>
internal sealed record SuiteOutcome(
    int ExitCode, int Passed, TimeSpan Phase, TimeSpan Command, TimeSpan? Ending, int ProcessId, string Output)
{
    public bool IsGreen => ExitCode == 0 && Passed == SuiteProcess.Tests;
}
