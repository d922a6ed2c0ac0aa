using System.CommandLine;
using System.Globalization;
using EvenKeel.Cli.Stability.Reports;

namespace EvenKeel.Cli.Stability;

/// <summary>
/// <c>evenkeel stability PATH</c>: which tests of a suite cannot be trusted, and why. Exit 0: stable; 1: instability; 2: usage; 3: the
/// suite could
/// not be run; 4: broken tests only; 130: cut off, with a report of what was done.
/// </summary>
internal static class StabilityCommand
{
    public const int ExitUsage = 2;

    public static Command Create()
    {
        var command = new Command("stability", "Find the tests of a suite that cannot be trusted, why, and the command that shows it.");
        var options = new StabilityCommandLine(isQuick: false);
        options.AddTo(command);
        command.SetAction((parsed, cancellation) => RunAsync(options, parsed, cancellation));
        var quick = new Command("quick", "One level, an order and its reverse: a look before a commit.");
        var quickOptions = new StabilityCommandLine(isQuick: true);
        quickOptions.AddTo(quick);
        quick.SetAction((parsed, cancellation) => RunAsync(quickOptions, parsed, cancellation));
        command.Subcommands.Add(quick);
        command.Subcommands.Add(ReplayCommand.Create());
        command.Subcommands.Add(CompareCommand.Create());
        return command;
    }

    private static async Task<int> RunAsync(StabilityCommandLine line, ParseResult parsed, CancellationToken cancellation)
    {
        // The parser begins to listen for signals when the command first gives its thread back: until then one would kill the process.
        await Task.Yield();
        var console = parsed.InvocationConfiguration;
        var violations = new List<string>();
        var options = line.Read(parsed, violations);
        var baseline = Baseline.Empty(TimeProvider.System);
        if (options?.BaselineFile is { } file)
        {
            (var read, var violation) = Baseline.Read(file, TimeProvider.System);
            baseline = read ?? baseline;
            if (violation is not null)
                violations.Add(violation);
        }
        if (violations.Count > 0 || options is null)
        {
            foreach (var violation in violations)
                await console.Error.WriteLineAsync(violation);
            await console.Error.WriteLineAsync("evenkeel stability --help lists commands and options.");
            return ExitUsage;
        }
        var view = new ProgressLines(console.Output, TimeProvider.System, options.Budget);
        view.Say($"Seed {options.Plan.Seed.ToString(CultureInfo.InvariantCulture)} (--seed replays this plan)");
        StabilityReport report;
        try
        {
            report = await new StabilitySession(options, baseline, view, TimeProvider.System).RunAsync(cancellation);
            ReportFiles.Write(report, options.OutputFolder);
        }
        catch (Exception cannot) when (cannot is IOException or UnauthorizedAccessException)
        {
            // A full disk, a folder that went away: nothing is known of the suite, and that is no instability.
            await console.Error.WriteLineAsync(
                $"The results cannot be kept: {cannot.Message} Make room, or name another folder with --out.");
            return StabilityReport.ExitNotRun;
        }
        await console.Output.WriteLineAsync(VerdictText.Of(report, options.OutputFolder));
        if (report.NotRunReason is { } reason)
            await console.Error.WriteLineAsync(reason);
        foreach (var annotation in GitHubAnnotations.Of(report, Environment.GetEnvironmentVariable("GITHUB_ACTIONS") == "true"))
            await console.Output.WriteLineAsync(annotation);
        await console.Output.FlushAsync(CancellationToken.None);
        return report.ExitCode;
    }
}
