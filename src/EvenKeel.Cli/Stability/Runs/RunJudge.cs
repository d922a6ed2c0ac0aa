namespace EvenKeel.Cli.Stability.Runs;

/// <summary>
/// The run's judge: a run is green only if every test it was to run has reported, none failed, nothing else did, and the process ended by
/// itself with 0. What a framework's summary says is not asked.
/// </summary>
internal static class RunJudge
{
    private const int FirstSignalCode = 128;

    public static (RunOutcome Outcome, string Explanation) Judge(
        RunObservation seen, int exitCode, bool timedOut, IReadOnlyList<int> missing, IReadOnlyList<int> failureCodes)
    {
        var failed = seen.Failures.Count;
        if (timedOut || seen.Hung)
            return (RunOutcome.Hang, seen.Finished ? "all tests had ended, the process did not" : "it was ended at the time-out");
        if (exitCode >= FirstSignalCode && exitCode < FirstSignalCode + 65)
            return (RunOutcome.Crash, $"ended by signal {exitCode - FirstSignalCode}");
        if (!seen.Finished && missing.Count > 0)
            return (RunOutcome.Crash, $"ended with {exitCode} before {missing.Count} of its tests had reported");
        if (exitCode != 0 && !failureCodes.Contains(exitCode))
            return (RunOutcome.Crash, $"ended with {exitCode}, which no test result explains");
        if (missing.Count > 0)
            return (RunOutcome.Failed, $"{missing.Count} tests did not report");
        if (failed > 0)
            return (RunOutcome.Failed, "");
        if (seen.Troubles.Count > 0)
            return (RunOutcome.Failed, seen.Troubles[0]);
        return exitCode == 0 ? (RunOutcome.Passed, "") : (RunOutcome.Failed, $"exit code {exitCode} though no test failed");
    }
}
