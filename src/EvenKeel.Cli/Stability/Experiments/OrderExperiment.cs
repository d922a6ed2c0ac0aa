using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>
/// The order experiment repeats a serial run up to the suspect: what fails there each time and never alone is the victim of a test before
/// it;
/// bisection finds which. The other way round, a test that fails alone and passes behind others needs one of them.
/// </summary>
internal sealed class OrderExperiment(Lab lab)
{
    private const int Repetitions = 2;

    // Pairs of a run behind the polluter and one alone: chance does not pass all of it.
    private const int Pairs = 5;

    // Where the framework draws an order of its own, the one that is wanted comes up in every second run of two tests.
    private const int MostAttempts = 12;

    public async Task<Finding?> FindPolluterAsync(
        int test, IReadOnlyList<RunRecord> failures, List<string> evidence, IReadOnlyDictionary<int, Finding> known,
        CancellationToken cancellation)
    {
        bool Fails(RunRecord run) => run.Has(test, TestOutcome.Failed);

        // 1. One that polluted others may have polluted this one as well: the cheapest guess.
        foreach (var polluter in known.Values.Where(found => found.Verdict == TestVerdict.OrderDependent)
            .SelectMany(found => found.Related).Distinct().Where(polluter => polluter != test).ToList())
        {
            if (await DecidesAsync([polluter], test, Fails, cancellation))
                return Victim(test, [polluter], evidence);
        }

        // 2. A failing run in a known order, quiet if there is one; each distinct one is tried until one shows it again.
        var tried = failures.Where(run => run.Spec.Workers == 1 && run.Started.Contains(test))
            .OrderBy(run => run.Spec.Conditions.IsLoaded || run.Spec.Conditions.IsForeign)
            .ThenBy(run => Before(run, test).Count)
            .Take(3);
        foreach (var run in tried.ToList())
        {
            var before = Before(run, test);
            if (before.Count == 0 || !await ConfirmAsync(before, test, Fails, cancellation))
                continue;
            evidence.Add($"behind the {before.Count} tests that ran before it, {Repetitions} runs: {Repetitions} failed");
            var found = await Bisection.FindAsync(before, part => ShowsBehindAsync(part, test, Fails, cancellation));
            if (found.Count > 0 && await DecidesAsync(found, test, Fails, cancellation))
                return Victim(test, found, evidence);
        }
        return null;
    }

    public async Task<Finding?> FindSetterAsync(int test, List<string> evidence, CancellationToken cancellation)
    {
        bool Passes(RunRecord run) => run.Has(test, TestOutcome.Passed);
        var passing = lab.Records.Where(run => run.Spec.Workers == 1 && Passes(run) && run.Started.Contains(test))
            .OrderBy(run => run.Spec.Conditions.IsLoaded || run.Spec.Conditions.IsForeign)
            .ThenBy(run => Before(run, test).Count)
            .Take(3);
        foreach (var run in passing.ToList())
        {
            var before = Before(run, test);
            if (before.Count == 0 || !await ConfirmAsync(before, test, Passes, cancellation))
                continue;
            var found = await Bisection.FindAsync(before, part => ShowsBehindAsync(part, test, Passes, cancellation));
            if (found.Count == 0 || !await DecidesAsync(found, test, Passes, cancellation))
                continue;
            evidence.Add($"behind {Names(found)}, {Pairs} runs: {Pairs} passed; between them alone, {Pairs} runs: {Pairs} failed");
            return new(test, TestVerdict.OrderDependent, $"needs {Names(found)} to have run before it")
            {
                Evidence = evidence,
                Related = found,
                Replay = new(1, [test], RunConditions.Quiet) { Purpose = "alone" },
            };
        }
        return null;
    }

    private Finding Victim(int test, IReadOnlyList<int> polluters, List<string> evidence)
    {
        evidence.Add($"behind {Names(polluters)} and nothing else, {Pairs} runs: {Pairs} failed; between them alone, {Pairs} runs: "
            + $"none failed");
        return new(test, TestVerdict.OrderDependent, $"fails when {Names(polluters)} ran before it")
        {
            Evidence = evidence,
            Related = polluters,
            Replay = new(1, [.. polluters, test], RunConditions.Quiet) { Purpose = "order" },
        };
    }

    private async Task<bool> ConfirmAsync(
        IReadOnlyList<int> before, int test, Func<RunRecord, bool> shows, CancellationToken cancellation)
    {
        for (var i = 0; i < Repetitions; i++)
        {
            if (!await ShowsBehindAsync(before, test, shows, cancellation))
                return false;
        }
        return true;
    }

    // Where the order could not be imposed the run says nothing about it.
    private async Task<bool> ShowsBehindAsync(
        IReadOnlyList<int> before, int test, Func<RunRecord, bool> shows, CancellationToken cancellation)
    {
        for (var attempt = 0; attempt < (lab.Runner.ImposesOrder ? 1 : MostAttempts); attempt++)
        {
            var run = await lab.TryAsync([.. before, test], "order", null, cancellation);
            if (before.All(Before(run, test).Contains))
                return shows(run);
        }
        return false;
    }

    /// <summary>Whether it shows behind these each time, and never without them.</summary>
    private async Task<bool> DecidesAsync(
        IReadOnlyList<int> before, int test, Func<RunRecord, bool> shows, CancellationToken cancellation)
    {
        for (var i = 0; i < Pairs; i++)
        {
            if (!await ShowsBehindAsync(before, test, shows, cancellation)
                || shows(await lab.TryAsync([test], "alone", null, cancellation)))
            {
                return false;
            }
        }
        return true;
    }

    private static List<int> Before(RunRecord run, int test) => [.. run.Started.TakeWhile(started => started != test)];

    private string Names(IEnumerable<int> tests) => string.Join(" and ", tests.Select(test => lab.Catalogue[test].Name));
}
