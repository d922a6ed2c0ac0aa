using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>
/// The surroundings check finds runs that failed as a whole: they count for no test. One of several is run again first, because an order
/// or a
/// condition may break most tests of a suite as well, and does so each time.
/// </summary>
internal sealed class SurroundingsCheck(Lab lab)
{
    private const double WholeRun = 0.8;
    private const int LeastTests = 5;

    public async Task RunAsync(CancellationToken cancellation)
    {
        var runs = lab.LevelRuns.ToList();
        var suspected = runs.Where(FailsAsAWhole).ToList();
        if (suspected.Count == 0)
            return;
        if (suspected.Count == runs.Count)
        {
            // All of them: the tests are broken one by one, or one thing that they all need is not there.
            if (suspected.All(OneMessage))
                Blame(suspected);
            return;
        }
        var others = runs.Except(suspected).ToList();
        foreach (var run in suspected)
        {
            var elsewhereFine = run.Failures.Keys.Count(test => others.Any(other => other.Has(test, TestOutcome.Passed)));
            if (elsewhereFine < WholeRun * run.Failures.Count)
                continue;
            var again = await lab.RunAsync(run.Spec with { Iteration = -1, Purpose = "again" }, cancellation);
            if (FailsAsAWhole(again))
                return;
            Blame([run]);
        }
    }

    private void Blame(IEnumerable<RunRecord> runs)
    {
        foreach (var run in runs.ToList())
            lab.Judge(run, RunOutcome.Infrastructure);
    }

    private static bool FailsAsAWhole(RunRecord run) =>
        run.Spec.Order.Count >= LeastTests && run.Outcome == RunOutcome.Failed && run.Failures.Count >= WholeRun * run.Spec.Order.Count;

    private static bool OneMessage(RunRecord run)
    {
        var largest = run.Failures.Values.GroupBy(failure => FailureText.NormaliseText(failure.Message.Split('\n')[0]))
            .Max(group => group.Count());
        return largest >= WholeRun * run.Failures.Count;
    }
}
