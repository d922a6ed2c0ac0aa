using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>
/// The ending experiment asks, of a run that crashed or hung, which of the tests that were running then does it alone. What is found is
/// left
/// out of further runs, so that the others get theirs.
/// </summary>
internal sealed class EndingExperiment(Lab lab, Investigation investigation)
{
    private const int MostCandidates = 8;
    private const int CrashRuns = 2;
    private const int StubbornRuns = 8;

    /// <summary>How long a run may take once a hang has been seen: far longer than any that ended.</summary>
    public TimeSpan Patience
    {
        get
        {
            var usual = Statistics.Median(
                lab.Records.Where(run => run.Outcome is RunOutcome.Passed or RunOutcome.Failed).Select(run => run.Seconds));
            var patience = TimeSpan.FromSeconds(Math.Max(20, usual * 10));
            return patience < lab.Runner.Timeout ? patience : lab.Runner.Timeout;
        }
    }

    public async Task ExamineAsync(RunRecord ended, CancellationToken cancellation)
    {
        var alone = ended.Outcome == RunOutcome.Hang ? 1 : CrashRuns;
        IReadOnlyList<int> running = ended.Running;
        if (running.Count > MostCandidates)
        {
            // A host that does not tell who was running: whichever half does it again.
            running = await Bisection.FindAsync(running, async part =>
                await ShowsAsync(part, part[0], ended.Outcome, 1, cancellation, anybody: true) is not null);
        }
        foreach (var test in running.Where(test => !investigation.Findings.ContainsKey(test)).Take(MostCandidates))
        {
            if (await ShowsAsync([test], test, ended.Outcome, alone, cancellation) is { } shown)
                Accuse(test, ended, $"alone it {Did(shown)} as well", Spec([test], shown), []);
        }
        if (ended.Running.Any(investigation.Findings.ContainsKey) || ended.Spec.Workers > 1 || ended.Running.Count != 1)
            return;

        // In a serial run exactly one was running, but one before it may have lit the fuse.
        var victim = ended.Running[0];
        var before = ended.Started.TakeWhile(started => started != victim).ToList();
        if (before.Count == 0 || await ShowsAsync([.. before, victim], victim, ended.Outcome, 1, cancellation) is null)
            return;
        var found = await Bisection.FindAsync(before, async part =>
            await ShowsAsync([.. part, victim], victim, ended.Outcome, 1, cancellation) is not null);
        if (found.Count > 0)
            Accuse(found[^1], ended, $"with {lab.Catalogue[victim].Name} behind it the process {Did(ended)}",
                Spec([.. found, victim], ended), [victim]);
    }

    /// <summary>
    /// Crashes and hangs that nothing showed again: said of the one test that was running in all of them, if there is one.
    /// </summary>
    public async Task ConcludeAsync(CancellationToken cancellation)
    {
        foreach (var kind in new[] { RunOutcome.Crash, RunOutcome.Hang })
        {
            var open = lab.LevelRuns.Where(run => run.Outcome == kind && run.Running.Count > 0
                && !run.Running.Any(investigation.Findings.ContainsKey) && !Lit(run)).ToList();
            if (open.Count == 0)
                continue;
            var inAll = open.Select(run => run.Running.AsEnumerable()).Aggregate((left, right) => left.Intersect(right)).ToList();
            foreach (var test in inAll.Take(3))
            {
                if (kind == RunOutcome.Crash && await ShowsAsync([test], test, kind, StubbornRuns, cancellation) is { } shown)
                    Accuse(test, shown, $"alone it {Did(shown)} in one of {StubbornRuns} runs", Spec([test], shown), []);
            }
            if (inAll is [var only] && !investigation.Findings.ContainsKey(only))
                Accuse(only, open[0], $"the only test that was running in each of {open.Count} such runs", open[0].Spec, []);
        }
    }

    // A finding that names the run's only running test as the one it hit.
    private bool Lit(RunRecord run) => investigation.Findings.Values.Any(found =>
        found.Verdict is TestVerdict.Crash or TestVerdict.Hang && found.Related.Any(run.Running.Contains));

    private async Task<RunRecord?> ShowsAsync(
        IReadOnlyList<int> order, int test, RunOutcome kind, int times, CancellationToken cancellation, bool anybody = false)
    {
        for (var i = 0; i < times; i++)
        {
            var run = await lab.RunAsync(
                new(1, order, RunConditions.Quiet) { Purpose = order.Count == 1 ? "alone" : "order", Limit = Patience }, cancellation);
            if (run.Outcome == kind && (anybody || run.Running.Contains(test) || run.Outcomes[test] == TestOutcome.Unheard))
                return run;
        }
        return null;
    }

    private void Accuse(int test, RunRecord ended, string evidence, RunSpec replay, IReadOnlyList<int> related)
    {
        var verdict = ended.Outcome == RunOutcome.Hang ? TestVerdict.Hang : TestVerdict.Crash;
        investigation.Add(new(test, verdict, verdict == TestVerdict.Hang ? "does not end" : $"ends its process: {ended.Explanation}")
        {
            Evidence = [evidence,
                $"running when it happened: {string.Join(", ", ended.Running.Select(found => lab.Catalogue[found].Name))}"],
            Replay = replay,
            Related = related,
        });
        if (lab.LeftOut.Add(test))
            lab.NotDone.Add($"{lab.Catalogue[test].Name} in further runs of the levels: it {Did(ended)}, and the others would have "
                + $"gone with it");
    }

    private RunSpec Spec(IReadOnlyList<int> order, RunRecord shown) =>
        new(1, order, RunConditions.Quiet) { Purpose = "alone", Limit = shown.Outcome == RunOutcome.Hang ? Patience : null };

    private static string Did(RunRecord run) => run.Outcome == RunOutcome.Hang ? "hung" : "crashed";
}
