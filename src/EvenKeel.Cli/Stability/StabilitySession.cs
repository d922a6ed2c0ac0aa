using EvenKeel.Cli.Stability.Experiments;
using EvenKeel.Cli.Stability.Hosts;
using EvenKeel.Cli.Stability.Reports;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability;

/// <summary>
/// A session is one call of the command on one path: build, discover, study, report. Cut off at any point it still reports.
/// </summary>
internal sealed class StabilitySession(StabilityOptions options, Baseline baseline, ProgressLines view, TimeProvider time)
{
    private readonly List<string> _notDone = [];

    public async Task<StabilityReport> RunAsync(CancellationToken cancellation)
    {
        var deadline = new Deadline(options.Budget, time);
        var builder = new ReportBuilder(options, baseline);
        var studies = new List<AssemblyStudy>();
        var interrupted = false;
        try
        {
            // 1. One build, and the tests that it holds.
            var assemblies = await SuiteBuild.BuildAsync(options.Path, view.Say, cancellation);
            var filter = await FilterAsync(cancellation);
            foreach (var assembly in assemblies)
            {
                if (await PrepareAsync(assembly, filter, deadline, cancellation) is { } study)
                    studies.Add(study);
            }
            if (studies.Count == 0)
                throw new SuiteNotRunException(
                    options.Since is not null ? $"No test class was touched since {options.Since}: there are no tests to run."
                    : options.Filter is null ? "There are no tests to run."
                    : $"No test matches --filter '{options.Filter}'.");

            // 2. Each assembly by itself.
            foreach (var study in studies)
                await study.RunAsync(cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            interrupted = true;
            _notDone.Add("what came after Ctrl-C");
        }
        catch (SuiteNotRunException cannot)
        {
            return builder.NotRun(cannot.Message);
        }

        // 3. Whatever there is.
        foreach (var expired in baseline.Expired)
            view.Say($"The baseline's entry for {expired} has run out.");
        return builder.Build(studies, deadline.Elapsed.TotalSeconds, interrupted, _notDone);
    }

    private async Task<AssemblyStudy?> PrepareAsync(
        TestAssembly assembly, Func<TestCase, bool> filter, Deadline deadline, CancellationToken cancellation)
    {
        var host = TestHosts.For(assembly, options.Filter);
        var runner = new TestRunner(host, Path.Combine(Path.GetFullPath(options.OutputFolder), "raw"), options.Timeout, time);
        if (await runner.DiscoverAsync(host.FiltersItself ? _ => true : filter, cancellation) is { } trouble)
            throw new SuiteNotRunException(trouble);
        foreach (var method in runner.Wandering)
            _notDone.Add($"{method}: its rows are named anew in every process, so that no two runs can be compared");
        if (runner.Catalogue.Count == 0)
            return null;
        view.Say($"{assembly.Name}: {runner.Catalogue.Count} tests ({assembly.Framework})");
        return new(runner, options, deadline, view);
    }

    private async Task<Func<TestCase, bool>> FilterAsync(CancellationToken cancellation)
    {
        var filter = TestFilter.Parse(options.Filter);
        if (options.Since is null)
            return filter;
        var touched = await TouchedClasses.SinceAsync(options.Since, options.Path, cancellation);
        _notDone.Add($"tests of classes that were not touched since {options.Since}");
        return test => filter(test) && touched.Contains(test.Class.Split('.', '+')[^1]);
    }
}
