using System.Text.RegularExpressions;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>A leak as it is reported: what, in how many runs, and by which test, if that could be found.</summary>
internal sealed record LeakFinding(string Kind, string What, int? Test, int Runs);

/// <summary>The teardown as it is reported.</summary>
internal sealed record TeardownFinding(bool IsSlow, double MedianSeconds, double WorstSeconds, IReadOnlyList<string> HeldBy);

/// <summary>
/// The remains experiment finds which test leaves something behind, or keeps the process from ending, by running halves of the suite. What
/// remains whichever test runs belongs to the framework or to a fixture of all.
/// </summary>
internal sealed partial class RemainsExperiment(Lab lab, Investigation investigation)
{
    public const double SlowSeconds = 2;
    private const int MostCulprits = 4;

    private readonly List<LeakFinding> _leaks = [];

    public IReadOnlyList<LeakFinding> Leaks => _leaks;

    public TeardownFinding Teardown { get; private set; } = new(false, 0, 0, []);

    public async Task RunAsync(CancellationToken cancellation)
    {
        // 1. What the level runs showed, before anything else is run.
        var runs = lab.LevelRuns.Where(run => run.Outcome is RunOutcome.Passed or RunOutcome.Failed or RunOutcome.Infrastructure).ToList();
        var stuck = lab.LevelRuns.Where(IsStuck).ToList();
        var unloaded = runs.Where(run => !run.Spec.Conditions.IsLoaded).ToList();
        var slow = unloaded.Count(IsSlow);
        var isSlow = slow >= 2 || slow * 2 > unloaded.Count || stuck.Count > 0;
        Teardown = new(isSlow, Statistics.Median(unloaded.Select(run => run.TeardownSeconds)),
            runs.Select(run => run.TeardownSeconds).Append(0).Max(),
            isSlow ? [.. runs.Concat(stuck).SelectMany(run => run.HeldBy).Distinct().Take(10)] : []);
        var leaks = runs.SelectMany(run => run.Leaks.Select(Key).Distinct()).GroupBy(leak => leak)
            .Where(group => group.Count() >= Math.Min(2, runs.Count))
            .Select(group => (Leak: group.Key, Runs: group.Count())).ToList();

        // 2. Who.
        if (isSlow)
            await FindSlowAsync(stuck.Count > 0, cancellation);
        foreach (var (leak, times) in leaks.Take(10))
            await FindLeakAsync(leak, times, cancellation);
        if (leaks.Count > 10)
            lab.NotDone.Add($"finding who leaves {leaks.Count - 10} of {leaks.Count} kinds of remains");
    }

    private async Task FindSlowAsync(bool stuck, CancellationToken cancellation)
    {
        bool Shows(RunRecord run) => IsStuck(run) || IsSlow(run);
        var culprits = await CulpritsAsync(Shows, cancellation);
        foreach (var (test, shown) in culprits)
        {
            var held = shown.HeldBy.Count > 0 ? $"held by {string.Join(", ", shown.HeldBy)}" : "nothing named holds it";
            investigation.Add(new(test, stuck ? TestVerdict.Hang : TestVerdict.SlowTeardown, stuck
                ? $"its process does not end after the last test: {held}"
                : $"its process ends late: {held}")
            {
                Evidence = [IsStuck(shown)
                    ? $"alone: not ended after {shown.Seconds:0.#} s"
                    : $"alone: {shown.TeardownSeconds:0.#} s from the last test's end to the end of the process"],
                Replay = new(1, [test], RunConditions.Quiet) { Purpose = "alone", Limit = shown.Spec.Limit },
            });
        }
        foreach (var thread in Teardown.HeldBy.Where(held => held.StartsWith("thread", StringComparison.Ordinal)))
            _leaks.Add(new("thread", thread, culprits.Count == 1 ? culprits[0].Test
                : null, lab.LevelRuns.Count(run => run.HeldBy.Contains(thread))));
    }

    private async Task FindLeakAsync(Leak leak, int times, CancellationToken cancellation)
    {
        bool Shows(RunRecord run) => run.Leaks.Select(Key).Contains(leak);
        var all = Candidates();
        if (await ShowsAsync([all[0]], Shows, cancellation) is not null && (all.Count == 1
            || await ShowsAsync([all[^1]], Shows, cancellation) is not null) && all.Count > 1)
        {
            // Whichever test runs: a fixture of the whole suite, or the framework itself, which may set what it likes.
            if (leak.Kind != "environment")
                _leaks.Add(new(leak.Kind, leak.What, null, times));
            return;
        }
        var culprits = await CulpritsAsync(Shows, cancellation);
        if (culprits.Count == 0)
            _leaks.Add(new(leak.Kind, leak.What, null, times));
        foreach (var (test, _) in culprits)
        {
            _leaks.Add(new(leak.Kind, leak.What, test, times));
            investigation.Add(new(test, TestVerdict.Leak, $"leaves behind ({leak.Kind}): {leak.What}")
            {
                Evidence = [$"left in {times} runs of the levels, and alone; not left by the rest of the suite"],
                Replay = new(1, [test], RunConditions.Quiet) { Purpose = "alone" },
            });
        }
    }

    private async Task<IReadOnlyList<(int Test, RunRecord Shown)>> CulpritsAsync(Func<RunRecord, bool> shows,
        CancellationToken cancellation)
    {
        var culprits = new List<(int, RunRecord)>();
        var rest = Candidates();
        while (rest.Count > 0 && culprits.Count < MostCulprits && await ShowsAsync(rest, shows, cancellation) is not null)
        {
            var found = await Bisection.FindAsync(rest, async part => await ShowsAsync(part, shows, cancellation) is not null);
            if (found is not [var test] || await ShowsAsync([test], shows, cancellation) is not { } shown)
                break;
            culprits.Add((test, shown));
            rest = [.. rest.Where(other => other != test)];
        }
        return culprits;
    }

    private async Task<RunRecord?> ShowsAsync(IReadOnlyList<int> tests, Func<RunRecord, bool> shows, CancellationToken cancellation)
    {
        var limit = TimeSpan.FromSeconds(
            Math.Max(15, 5 * Statistics.Median(lab.LevelRuns.Where(run => run.Outcome == RunOutcome.Passed).Select(run => run.Seconds))));
        var run = await lab.RunAsync(new(1, tests, RunConditions.Quiet)
        {
            Purpose = tests.Count == 1 ? "alone" : "remains",
            Limit = limit < lab.Runner.Timeout ? limit : lab.Runner.Timeout,
        }, cancellation);
        return shows(run) ? run : null;
    }

    private List<int> Candidates() => [.. Enumerable.Range(0, lab.Catalogue.Count).Where(test => !lab.LeftOut.Contains(test))];

    /// <summary>
    /// Whether its process took long to end: longer than to begin as well, unless something is seen to hold it. A busy machine is slow at
    /// both.
    /// </summary>
    public static bool IsSlow(RunRecord run) => run.TeardownSeconds > SlowSeconds
        && (run.HeldBy.Count > 0 || run.Started.Count == 0 || run.TeardownSeconds > run.Started.Min(test => run.StartSeconds[test]));

    private static bool IsStuck(RunRecord run) => run.Outcome == RunOutcome.Hang && run.Running.Count == 0 && run.Missing.Count == 0;

    // Names that are drawn anew each time are one kind of remains.
    private static Leak Key(Leak leak) => leak with
    {
        What = leak.Kind switch
        {
            "file" => FailureText.NormaliseText(DrawnName().Replace(leak.What, "*")),
            "process" => FailureText.NormaliseText(leak.What),
            "socket" => "a listening socket",
            _ => leak.What,
        },
    };

    [GeneratedRegex(@"(?<=^tmp)[A-Za-z0-9]{6}(?=\.tmp$)|^[a-z0-9]{8}\.[a-z0-9]{3}$|(?<=[-_.])[A-Za-z0-9]{6}$")]
    private static partial Regex DrawnName();
}
