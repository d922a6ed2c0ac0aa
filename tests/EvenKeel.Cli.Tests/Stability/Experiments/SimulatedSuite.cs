using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Tests.Stability.Experiments;

/// <summary>What a simulated test sees of its run: the specification, what ran before it, and chance.</summary>
internal sealed record Moment(RunSpec Spec, IReadOnlyList<int> Before, Random Chance)
{
    public bool Ran(int test) => Before.Contains(test);
}

/// <summary>
/// A simulated suite is a suite made up of rules: each test fails when its rule says so. It runs thousands of times in a second, so that verdicts
/// can be tried as often as their rates of error ask for.
/// </summary>
internal sealed class SimulatedSuite(int tests, int seed) : ISuiteRunner
{
    private readonly Random _chance = new(seed);

    public Dictionary<int, Func<Moment, bool>> FailsWhen { get; } = [];

    /// <summary>Tests that end the process, and how.</summary>
    public Dictionary<int, RunOutcome> Ends { get; } = [];

    /// <summary>A run in which everything fails.</summary>
    public Func<RunSpec, bool> SurroundingsFail { get; init; } = _ => false;

    public Func<RunSpec, IEnumerable<Leak>> Leaves { get; init; } = _ => [];

    public Func<RunSpec, double> TeardownSeconds { get; init; } = _ => 0;

    public float FirstStartSeconds { get; init; }

    public int Runs { get; private set; }

    public TestAssembly Assembly { get; } = new("/suite/Simulated.dll", TestFramework.XunitV3, null);

    public Catalogue Catalogue { get; } =
        Catalogue.Of(Enumerable.Range(0, tests).Select(test => new TestCase(test, $"{test}", $"T{test}", "C", $"T{test}") { Collection = $"{test}" }));

    public int Skipped => 0;

    public TimeSpan Timeout { get; } = TimeSpan.FromMinutes(10);

    public bool ImposesOrder => true;

    public string OrderNote => "";

    public Task<RunRecord> RunAsync(RunSpec spec, CancellationToken cancellation)
    {
        Runs++;
        var outcomes = new TestOutcome[Catalogue.Count];
        var failures = new Dictionary<int, Failure>();
        var before = new List<int>();
        var nothingWorks = SurroundingsFail(spec);
        RunOutcome? ended = null;
        foreach (var test in spec.Order)
        {
            if (Ends.TryGetValue(test, out var end))
            {
                ended = end;
                before.Add(test);
                break;
            }
            var fails = nothingWorks || (FailsWhen.TryGetValue(test, out var rule) && rule(new(spec, before, _chance)));
            outcomes[test] = fails ? TestOutcome.Failed : TestOutcome.Passed;
            if (fails)
                failures[test] = new(nothingWorks ? "connection refused" : $"T{test} failed", "");
            before.Add(test);
        }
        return Task.FromResult(new RunRecord(spec, ended ?? (failures.Count > 0 ? RunOutcome.Failed : RunOutcome.Passed), ended is null ? 0 : 134)
        {
            Outcomes = outcomes,
            StartSeconds = [.. Enumerable.Repeat(FirstStartSeconds, Catalogue.Count)],
            TeardownSeconds = TeardownSeconds(spec),
            EndSeconds = [.. Enumerable.Repeat(1f, Catalogue.Count)],
            Started = [.. before],
            Running = ended is null ? [] : [before[^1]],
            Missing = [.. spec.Order.Where(test => outcomes[test] == TestOutcome.Unheard)],
            Failures = failures,
            Leaks = [.. Leaves(spec)],
            Seconds = 1,
        });
    }
}
