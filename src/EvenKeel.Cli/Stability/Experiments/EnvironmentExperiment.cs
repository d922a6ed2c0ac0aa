using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>
/// The environment experiment runs a test alone under one foreign condition at a time: what fails under it each time and never without it
/// depends on it.
/// </summary>
internal sealed class EnvironmentExperiment(Lab lab)
{
    // Pairs of a run under the condition and one without: a test that fails in every second run by itself passes all of it once in a
    // thousand.
    private const int Pairs = 5;

    public async Task<Finding?> RunAsync(
        int test, IReadOnlyList<RunRecord> failures, List<string> evidence, CancellationToken cancellation)
    {
        var causes = new List<(string Cause, RunConditions Conditions)>();
        foreach (var conditions in failures.Select(run => run.Spec.Conditions).Where(conditions => conditions.IsForeign)
            .Distinct().ToList())
        {
            foreach (var (cause, single) in Singles(conditions))
            {
                if (causes.Any(found => found.Cause == cause) || !await DecidesAsync(test, single, evidence, cancellation))
                    continue;
                causes.Add((cause, single));
            }
        }
        if (causes.Count == 0)
            return null;
        return new(test, TestVerdict.Environment, string.Join(" and ", causes.Select(found => found.Cause)))
        {
            Evidence = evidence,
            Replay = new(1, [test], causes[0].Conditions) { Purpose = "alone" },
        };
    }

    private async Task<bool> DecidesAsync(int test, RunConditions conditions, List<string> evidence, CancellationToken cancellation)
    {
        for (var i = 0; i < Pairs; i++)
        {
            if (!(await lab.TryAsync([test], "alone", conditions, cancellation)).Has(test, TestOutcome.Failed))
            {
                evidence.Add($"alone under {conditions}: passed");
                return false;
            }
            if ((await lab.TryAsync([test], "alone", null, cancellation)).Has(test, TestOutcome.Failed))
            {
                evidence.Add($"alone under {conditions}: failed, but without it as well");
                return false;
            }
        }
        evidence.Add($"alone under {conditions}, {Pairs} runs: {Pairs} failed; between them without it, {Pairs} runs: none failed");
        return true;
    }

    private static IEnumerable<(string Cause, RunConditions Conditions)> Singles(RunConditions all)
    {
        if (all.Culture is { } culture)
            yield return ($"culture {culture}", new() { Culture = culture });
        if (all.TimeZone is { } zone)
            yield return ($"time zone {zone}", new() { TimeZone = zone });
        if (all.ProcessorCount is { } count)
            yield return ($"processor count {count}", new() { ProcessorCount = count });
    }
}
