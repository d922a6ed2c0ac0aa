using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>
/// The investigation of one assembly takes each test that failed through the experiments, cheapest and most certain first: alone, under the
/// one condition, behind the tests that ran before it; what none of them explains is compared by rates.
/// </summary>
internal sealed class Investigation(Lab lab, PlanScale scale)
{
    private const int AloneRuns = 3;
    private const int MostSuspects = 40;

    private readonly Dictionary<int, Finding> _findings = [];

    public IReadOnlyDictionary<int, Finding> Findings => _findings;

    public void Add(Finding finding) => _findings.TryAdd(finding.Test, finding);

    public async Task RunAsync(CancellationToken cancellation)
    {
        // 1. Who failed, most often first: what fails always is the cheapest to explain.
        var suspects = Enumerable.Range(0, lab.Catalogue.Count)
            .Where(test => !_findings.ContainsKey(test) && FailuresOf(test).Count > 0)
            .OrderByDescending(test => FailuresOf(test).Count)
            .ToList();
        if (suspects.Count > MostSuspects)
        {
            lab.NotDone.Add($"experiments on {suspects.Count - MostSuspects} of {suspects.Count} failing tests: they are called flaky");
            suspects = [.. suspects.Take(MostSuspects)];
        }

        // 2. What one experiment can decide.
        var open = new List<int>();
        foreach (var test in suspects)
        {
            if (await ExplainAsync(test, cancellation) is { } finding)
                Add(finding);
            else
                open.Add(test);
        }

        // 3. What only rates can tell, all in the same runs.
        if (open.Count > 0 && scale.IsQuick)
        {
            lab.NotDone.Add($"comparing {open.Count} tests in parallel and under load: that takes more than a quick look");
        }
        else if (open.Count > 0)
        {
            var load = new LoadExperiment(lab, scale);
            foreach (var finding in await load.RunAsync(open, cancellation))
                Add(finding);
        }
    }

    /// <summary>A test that failed and was not explained, when there was no time to.</summary>
    public void AddUnexplained()
    {
        for (var test = 0; test < lab.Catalogue.Count; test++)
        {
            var failures = FailuresOf(test);
            if (_findings.ContainsKey(test) || failures.Count == 0)
                continue;
            var runs = lab.LevelRuns.Count(run => run.Has(test, TestOutcome.Passed) || run.Has(test, TestOutcome.Failed));
            var always = failures.Count(run => !run.Spec.IsExperiment) == runs && runs > 1;
            Add(new(test, always ? TestVerdict.Broken : TestVerdict.Flaky, always ? "fails in every run" : "not investigated further")
            {
                Evidence = [Summary(failures)],
                Replay = failures[0].Spec,
            });
        }
    }

    private async Task<Finding?> ExplainAsync(int test, CancellationToken cancellation)
    {
        var failures = FailuresOf(test);
        var quiet = await AloneAsync(test, RunConditions.Quiet, AloneRuns, cancellation);
        var evidence = new List<string> { $"alone, {AloneRuns} runs: {quiet} failed", Summary(failures) };
        var everRan = lab.LevelRuns.Where(run => run.Has(test, TestOutcome.Passed) || run.Has(test, TestOutcome.Failed)).ToList();
        var failsAlways = everRan.Count > 0 && everRan.All(run => run.Has(test, TestOutcome.Failed));
        if (quiet == AloneRuns && failsAlways)
        {
            return new(test, TestVerdict.Broken, "fails in every run, alone as well")
            {
                Evidence = evidence,
                Replay = Alone(test, RunConditions.Quiet),
            };
        }
        if (quiet == AloneRuns)
            return await new OrderExperiment(lab).FindSetterAsync(test, evidence, cancellation);
        if (quiet == 0)
        {
            return await new EnvironmentExperiment(lab).RunAsync(test, failures, evidence, cancellation)
                ?? await new OrderExperiment(lab).FindPolluterAsync(test, failures, evidence, _findings, cancellation);
        }
        return null;
    }

    private async Task<int> AloneAsync(int test, RunConditions conditions, int times, CancellationToken cancellation)
    {
        var failed = 0;
        for (var i = 0; i < times; i++)
            failed += (await lab.TryAsync([test], "alone", conditions, cancellation)).Has(test, TestOutcome.Failed) ? 1 : 0;
        return failed;
    }

    private List<RunRecord> FailuresOf(int test) => [.. lab.Records.Where(run => run.Has(test, TestOutcome.Failed))];

    private static RunSpec Alone(int test, RunConditions conditions) => new(1, [test], conditions) { Purpose = "alone" };

    private static string Summary(IReadOnlyList<RunRecord> failures) =>
        "failed in: " + string.Join("; ", failures
            .GroupBy(run => $"{run.Spec.Workers} worker{(run.Spec.Workers == 1 ? "" : "s")}, {run.Spec.Purpose}, {run.Spec.Conditions}")
            .Select(group => $"{group.Key} ({group.Count()})"));
}

/// <summary>How many runs a comparison of rates may take.</summary>
internal sealed record PlanScale(int Iterations, IReadOnlyList<int> Levels, bool Noise, bool IsQuick, int Seed)
{
    public int MostWorkers => Levels.Max();
}
