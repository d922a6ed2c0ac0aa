using System.Globalization;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>
/// The load experiment compares rates: the same tests in the same order one after another, in parallel, and under load. What is worse under
/// load with nothing beside it depends on time; what is worse in parallel, on what runs beside it; what is neither is flaky by itself.
/// </summary>
internal sealed class LoadExperiment(Lab lab, PlanScale scale)
{
    private const double Significant = 0.05;
    private const int LeastRuns = 10;
    private const int MostRuns = 30;

    public async Task<IReadOnlyList<Finding>> RunAsync(IReadOnlyList<int> suspects, CancellationToken cancellation)
    {
        // 1. More runs of each kind, until the kinds differ or the number is reached.
        var order = Enumerable.Range(0, lab.Catalogue.Count).Where(test => !lab.LeftOut.Contains(test)).ToArray();
        var most = Math.Clamp(scale.Iterations, LeastRuns, MostRuns);
        try
        {
            for (var i = 0; i < most && suspects.Any(test => IsOpen(test)); i++)
            {
                // Who starts first decides who wins a race: an order of its own each time, the same in each kind.
                new Random(scale.Seed + i).Shuffle(order);
                await lab.TryAsync([.. order], "serial", null, cancellation);
                if (scale.MostWorkers > 1)
                    await lab.TryAsync([.. order], "parallel", null, cancellation, scale.MostWorkers);
                if (scale.Noise)
                    await lab.TryAsync([.. order], "serial-noise", new() { Noise = true }, cancellation);
            }
        }
        catch (BudgetSpentException)
        {
            lab.NotDone.Add($"comparing {suspects.Count} tests in parallel and under load until their intervals are narrow");
        }

        // 2. What the rates say.
        return [.. suspects.Select(Conclude)];
    }

    private bool IsOpen(int test)
    {
        var (serial, parallel, loaded) = Groups(test);
        return !(Worse(parallel, serial) < Significant / 5 || Worse(loaded, serial) < Significant / 5
            || (serial.Failures >= 3 && serial.Runs >= LeastRuns));
    }

    private Finding Conclude(int test)
    {
        var (serial, parallel, loaded) = Groups(test);
        var inParallel = Worse(parallel, serial);
        var underLoad = Worse(loaded, serial);
        List<string> evidence =
        [
            $"one after another: {serial}; in parallel: {parallel} (p = {Number(inParallel)}); under load: {loaded} (p = "
                + $"{Number(underLoad)})",
        ];
        if (underLoad < Significant)
        {
            return new(test, TestVerdict.Timing, "fails more often when the processors are busy, also with nothing beside it")
            {
                Evidence = evidence,
                Replay = Whole(1, new() { Noise = scale.Noise }, "serial-noise"),
            };
        }
        if (inParallel < Significant)
        {
            var beside = Beside(test);
            return new(test, TestVerdict.Race, beside.Count > 0
                ? $"fails only beside other tests; most often running when it failed: {string.Join(", ", beside.Select(Name))}"
                : "fails more often in parallel than one after another")
            {
                Evidence = evidence,
                Related = beside,
                Replay = (lab.Records.LastOrDefault(run => run.Spec is { Workers: > 1, Conditions.IsLoaded: false }
                    && run.Has(test, TestOutcome.Failed))?.Spec ?? Whole(scale.MostWorkers, RunConditions.Quiet,
                        "parallel")) with
                { Iteration = -1 },
            };
        }
        var failing = lab.Records.First(run => run.Has(test, TestOutcome.Failed));
        return new(test, TestVerdict.Flaky, serial.Failures + parallel.Failures == 0
            ? "failed, and no experiment made it fail again"
            : "fails now and then whatever runs before or beside it")
        {
            Evidence = evidence,
            Replay = serial.Failures > 0 && serial.Share >= parallel.Share ? Whole(1, RunConditions.Quiet, "serial") : failing.Spec,
        };
    }

    // Experiments are replayed as such, whatever they were part of.
    private RunSpec Whole(int workers, RunConditions conditions, string purpose) =>
        new(workers, [.. Enumerable.Range(0, lab.Catalogue.Count)], conditions) { Purpose = purpose };

    private (Rate Serial, Rate Parallel, Rate Loaded) Groups(int test)
    {
        var runs = lab.Records.Where(run => !run.Spec.Conditions.IsForeign
            && (run.Has(test, TestOutcome.Passed) || run.Has(test, TestOutcome.Failed))).ToList();
        return (
            Rate.Of(runs.Where(run => run.Spec is { Workers: 1, Conditions.IsLoaded: false }), test),
            Rate.Of(runs.Where(run => run.Spec is { Workers: > 1, Conditions.IsLoaded: false }), test),
            Rate.Of(runs.Where(run => run.Spec is { Workers: 1, Conditions.IsLoaded: true }), test));
    }

    private static double Worse(Rate first, Rate second) =>
        first.Runs == 0 || second.Runs == 0 || first.Share <= second.Share
            ? 1
            : Statistics.Fisher(first.Failures, first.Runs, second.Failures, second.Runs);

    // Tests that were running while it failed, in most of its parallel failures and not in most of its passes.
    private List<int> Beside(int test)
    {
        var parallel = lab.Records.Where(run => run.Spec.Workers > 1).ToList();
        var failed = parallel.Where(run => run.Has(test, TestOutcome.Failed)).ToList();
        var passed = parallel.Where(run => run.Has(test, TestOutcome.Passed)).ToList();
        double Share(List<RunRecord> runs, int other) => runs.Count == 0 ? 0
            : (double)runs.Count(run => Overlaps(run, test, other)) / runs.Count;
        return [.. Enumerable.Range(0, lab.Catalogue.Count)
            .Where(other => other != test)
            .Select(other => (other, Share: Share(failed, other), Lift: Share(failed, other) - Share(passed, other)))
            .Where(found => found.Share >= 0.5)
            .OrderByDescending(found => found.Lift).ThenByDescending(found => found.Share)
            .Take(3)
            .Select(found => found.other)];
    }

    private static bool Overlaps(RunRecord run, int test, int other) =>
        run.EndSeconds[other] > 0 && run.StartSeconds[other] < run.EndSeconds[test] && run.StartSeconds[test] < run.EndSeconds[other];

    private string Name(int test) => lab.Catalogue[test].Name;

    private static string Number(double value) => value.ToString(value < 0.001 ? "0.0e0" : "0.000", CultureInfo.InvariantCulture);

    private readonly record struct Rate(int Failures, int Runs)
    {
        public double Share => Runs == 0 ? 0 : (double)Failures / Runs;

        public static Rate Of(IEnumerable<RunRecord> runs, int test)
        {
            var all = runs.ToList();
            return new(all.Count(run => run.Has(test, TestOutcome.Failed)), all.Count);
        }

        public override string ToString() => $"{Failures} of {Runs}";
    }
}
