using EvenKeel.Cli.Stability.Experiments;
using EvenKeel.Cli.Stability.Hosts;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>The report builder turns the studies of all assemblies into the one report.</summary>
internal sealed class ReportBuilder(StabilityOptions options, Baseline baseline)
{
    public StabilityReport Build(IReadOnlyList<AssemblyStudy> studies, double seconds, bool interrupted, IReadOnlyList<string> notDone)
    {
        var tests = studies.SelectMany(TestsOf).ToList();
        var runs = studies.SelectMany(study => study.Lab.LevelRuns.Select(record => new RunReport(
            study.Assembly.Path, record, Names(study, record.Missing), Names(study, record.Running)))).ToList();
        return new()
        {
            Seed = options.Plan.Seed,
            Suite = options.Path,
            Tests = tests,
            Runs = runs,
            Levels = [.. LevelsOf(runs)],
            Teardown = Together(studies),
            Leaks = [.. studies.SelectMany(study => study.Leaks.Select(leak => new LeakReport(
                leak.Kind, leak.What, leak.Test is { } test ? study.Lab.Catalogue[test].Name : null, leak.Runs)))],
            NotDone = [.. notDone, .. studies.SelectMany(study => study.Lab.NotDone)],
            SuiteNumbers = SuiteNumbers.Of(studies, tests),
            Experiments = studies.Sum(study => study.Lab.Records.Count(record => record.Spec.IsExperiment)),
            Seconds = seconds,
            IsInterrupted = interrupted,
        };
    }

    /// <summary>The report of a suite that could not be run.</summary>
    public StabilityReport NotRun(string reason) => new()
    {
        Seed = options.Plan.Seed,
        Suite = options.Path,
        Tests = [],
        Runs = [],
        Levels = [],
        Teardown = new(false, 0, 0, []),
        Leaks = [],
        NotDone = ["everything: the suite could not be run"],
        NotRunReason = reason,
    };

    private IEnumerable<TestReport> TestsOf(AssemblyStudy study)
    {
        var clusters = study.Lab.Records.Where(record => record.Counts)
            .SelectMany(record => record.Failures.Select(failure => (Text: FailureText.Normalise(failure.Value), failure.Key)))
            .Distinct().GroupBy(failure => failure.Text).ToDictionary(group => group.Key, group => group.Count());
        foreach (var test in study.Lab.Catalogue.Tests)
            yield return Describe(study, test, clusters);
    }

    private TestReport Describe(AssemblyStudy study, TestCase test, Dictionary<string, int> clusters)
    {
        var finding = study.Findings.GetValueOrDefault(test.Index);
        var ends = finding?.Verdict is TestVerdict.Crash or TestVerdict.Hang;
        bool Failed(RunRecord run) => run.Has(test.Index, TestOutcome.Failed)
            || (ends && run.Outcome is RunOutcome.Crash or RunOutcome.Hang && run.Running.Contains(test.Index));
        var runs = study.Lab.LevelRuns.Where(run => Failed(run) || run.Has(test.Index, TestOutcome.Passed)).ToList();
        var (verdict, cause) = finding is not null ? (finding.Verdict, finding.Cause)
            : runs.Count > 0 ? (TestVerdict.Stable, "")
            : study.Lab.LevelRuns.Any(run => run.Counts && run.Outcomes[test.Index] == TestOutcome.Skipped)
                ? (TestVerdict.Stable, "skips itself")
            : (TestVerdict.Infrastructure, "no run that counts told of it");
        var failure = study.Lab.Records.Select(run => run.Failures.GetValueOrDefault(test.Index)).FirstOrDefault(told => told is not null);
        var command = verdict is TestVerdict.Stable or TestVerdict.Infrastructure ? "" : ReplayCommandFor(test.Name);
        return new(test.Name, test.Class, verdict, cause)
        {
            Assembly = study.Assembly.Path,
            Index = test.Index,
            Failures = runs.Count(Failed),
            Runs = runs.Count,
            ByLevel = runs.GroupBy(run => run.Spec.Workers).OrderBy(level => level.Key)
                .ToDictionary(level => level.Key, level => (level.Count(Failed), level.Count())),
            Evidence = finding?.Evidence ?? [],
            Related = finding is null ? [] : Names(study, finding.Related),
            Reproduce = command,
            Replay = finding?.Replay is { } replay ? ReplayText.Write(study.Assembly, study.Lab.Catalogue, replay) : null,
            Failure = failure,
            MedianSeconds = Statistics.Median(runs.Where(run => run.EndSeconds[test.Index] > 0)
                .Select(run => (double)(run.EndSeconds[test.Index] - run.StartSeconds[test.Index]))),
            IsKnown = baseline.Knows(test.Name),
            ClusterSize = failure is null ? 0 : clusters.GetValueOrDefault(FailureText.Normalise(failure)),
        };
    }

    private string ReplayCommandFor(string name) =>
        $"{OwnCommand.Text} stability replay {Shell.Quote(Path.GetFullPath(Path.Combine(options.OutputFolder, "report.json")))} "
            + $"{Shell.Quote(name)}";

    private static IReadOnlyList<string> Names(AssemblyStudy study, IReadOnlyList<int> tests) =>
        [.. tests.Select(test => study.Lab.Catalogue[test].Name)];

    private static IEnumerable<LevelReport> LevelsOf(IReadOnlyList<RunReport> runs)
    {
        double? slowest = null;
        foreach (var level in runs.GroupBy(run => run.Record.Spec.Workers))
        {
            // An iteration is green if it is in every assembly; its time is theirs together.
            var iterations = level.GroupBy(run => run.Record.Spec.Iteration).ToList();
            var quiet = iterations
                .Where(each => each.All(run => !run.Record.Spec.Conditions.IsLoaded && !run.Record.Spec.Conditions.IsForeign));
            var median = Statistics.Median(quiet.DefaultIfEmpty(iterations[0]).Select(each => each.Sum(run => run.Record.Seconds)));
            slowest ??= median;
            yield return new(
                level.Key, iterations.Count, iterations.Count(each => each.All(run => run.Record.Outcome == RunOutcome.Passed)), median,
                median > 0 ? slowest.Value / median : null);
        }
    }

    private static TeardownFinding Together(IReadOnlyList<AssemblyStudy> studies) => new(
        studies.Any(study => study.Teardown.IsSlow),
        studies.Select(study => study.Teardown.MedianSeconds).DefaultIfEmpty().Max(),
        studies.Select(study => study.Teardown.WorstSeconds).DefaultIfEmpty().Max(),
        [.. studies.SelectMany(study => study.Teardown.HeldBy).Distinct()]);
}
