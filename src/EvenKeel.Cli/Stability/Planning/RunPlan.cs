using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Planning;

/// <summary>
/// A run plan is the levels times the iterations, each run also a sweep of something, so that what never fails on a quiet machine can show.
/// All of it follows from the seed.
/// </summary>
internal static class RunPlan
{
    private static readonly (string Culture, string Zone)[] Abroad =
        [("tr-TR", "Pacific/Kiritimati"), ("de-DE", "America/St_Johns"), ("ar-SA", "Asia/Kolkata"), ("th-TH", "America/Los_Angeles")];

    public static IReadOnlyList<RunSpec> Create(Catalogue catalogue, PlanOptions options)
    {
        var plan = new List<RunSpec>();
        var natural = Enumerable.Range(0, catalogue.Count).ToArray();
        var sweep = 0;
        for (var level = 0; level < options.Levels.Count; level++)
        {
            var workers = options.Levels[level];
            var shuffled = Shuffle(catalogue, natural, new Random(HashCode(options.Seed, level)), depth: 0);
            var sweeps = Sweeps(natural, shuffled, level, options).ToList();
            for (var iteration = 0; iteration < options.Iterations; iteration++)
            {
                // Plain first; with only two runs an order and its reverse tell more. The others go round, over all levels.
                var isPlain = iteration == 0 && !(options.Iterations == 2 && level == 0);
                var spec = isPlain ? new RunSpec(workers, natural, RunConditions.Quiet)
                    : level == 0 ? sweeps[(options.Iterations == 2 ? iteration : iteration - 1) % sweeps.Count]
                    : sweeps[sweep++ % sweeps.Count];
                plan.Add(spec with { Workers = workers, Iteration = iteration });
                if (level == 0)
                    sweep = options.Iterations >= sweeps.Count ? 0 : Math.Max(0, iteration);
            }
        }
        return plan;
    }

    // By groups within groups, as frameworks run them: were a class torn apart, an order and its reverse could both begin with it, and of
    // two classes one would never run first.
    private static int[] Shuffle(Catalogue catalogue, IReadOnlyList<int> tests, Random random, int depth)
    {
        var groups = tests.GroupBy(test => catalogue[test].Path.ElementAtOrDefault(depth) ?? "", StringComparer.Ordinal)
            .Select(group => group.ToArray()).ToArray();
        if (tests.All(test => catalogue[test].Path.Count <= depth))
        {
            var within = tests.ToArray();
            random.Shuffle(within);
            return within;
        }
        random.Shuffle(groups);
        return [.. groups.SelectMany(group => Shuffle(catalogue, group, random, depth + 1))];
    }

    // Seeds are small numbers that follow one another: mixed, so that levels do not share their orders.
    private static int HashCode(int seed, int level) => unchecked((seed * 31 + level) * (int)2654435761);

    private static IEnumerable<RunSpec> Sweeps(int[] natural, int[] shuffled, int level, PlanOptions options)
    {
        var order = options.Shuffle ? shuffled : natural;
        var abroad = Abroad[level % Abroad.Length];
        var farAbroad = Abroad[(level + 1) % Abroad.Length];
        if (options.Shuffle)
        {
            yield return new(1, shuffled, RunConditions.Quiet) { Purpose = "shuffled" };
            yield return new(1, [.. shuffled.Reverse()], RunConditions.Quiet) { Purpose = "reversed" };
        }
        yield return new(1, natural, new() { Culture = abroad.Culture, TimeZone = abroad.Zone }) { Purpose = "abroad" };
        yield return new(1, natural, new() { ProcessorCount = 1 }) { Purpose = "one-cpu" };
        if (options.Noise)
        {
            yield return new(1, natural, new() { Noise = true }) { Purpose = "noise" };
            if (TestProcess.CanHoldOnOneProcessor)
                yield return new(1, order, new() { OneProcessor = true }) { Purpose = "held" };
        }
        yield return new(1, natural, RunConditions.Quiet);
        yield return new(1, natural, new() { Culture = farAbroad.Culture, TimeZone = farAbroad.Zone }) { Purpose = "abroad" };
        if (options.Noise)
            yield return new(1, order, new() { Noise = true }) { Purpose = "noise" };
    }
}

/// <summary>What a plan is made from.</summary>
internal sealed record PlanOptions(int Iterations, IReadOnlyList<int> Levels, int Seed, bool Shuffle, bool Noise);
