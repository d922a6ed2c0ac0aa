using EvenKeel.Cli.Stability.Experiments;
using EvenKeel.Cli.Stability.Planning;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability;

/// <summary>
/// The study of one assembly: its runs, the experiments on what they showed, and what came of it. It can be cut off at any run.
/// </summary>
internal sealed class AssemblyStudy
{
    private readonly StabilityOptions _options;
    private readonly ProgressLines _view;
    private readonly Investigation _investigation;
    private readonly EndingExperiment _endings;
    private readonly RemainsExperiment _remains;

    public AssemblyStudy(ISuiteRunner runner, StabilityOptions options, Deadline deadline, ProgressLines view)
    {
        _options = options;
        _view = view;
        Lab = new(runner, deadline, view);
        _investigation = new(Lab,
            new(options.Plan.Iterations, options.Plan.Levels, options.Plan.Noise, options.IsQuick, options.Plan.Seed));
        _endings = new(Lab, _investigation);
        _remains = new(Lab, _investigation);
    }

    public Lab Lab { get; }

    public TestAssembly Assembly => Lab.Runner.Assembly;

    public IReadOnlyDictionary<int, Finding> Findings => _investigation.Findings;

    public IReadOnlyList<LeakFinding> Leaks => _remains.Leaks;

    public TeardownFinding Teardown => _remains.Teardown;

    public async Task RunAsync(CancellationToken cancellation)
    {
        try
        {
            // 1. The levels, each run also a sweep; what ends a process is looked into at once, because it hides the others.
            await RunLevelsAsync(cancellation);

            // 2. Runs that say nothing about tests go first: nothing may be concluded from them.
            _view.Say("Experiments");
            await new SurroundingsCheck(Lab).RunAsync(cancellation);

            // 3. Why what failed failed, and who leaves what behind.
            await _endings.ConcludeAsync(cancellation);
            await _investigation.RunAsync(cancellation);
            await _remains.RunAsync(cancellation);
        }
        catch (BudgetSpentException)
        {
            Lab.NotDone.Add("the rest of the experiments: the budget was spent");
        }
        finally
        {
            _investigation.AddUnexplained();
        }
    }

    private async Task RunLevelsAsync(CancellationToken cancellation)
    {
        var plan = RunPlan.Create(Lab.Catalogue, _options.Plan);
        if (!Lab.Runner.ImposesOrder && _options.Plan.Shuffle)
            Lab.NotDone.Add($"{Assembly.Name}: {Lab.Runner.OrderNote}");
        _view.Planned(plan.Count);
        var done = 0;
        var patient = true;
        try
        {
            foreach (var spec in plan)
            {
                var run = await Lab.RunAsync(patient ? spec : spec with { Limit = _endings.Patience }, cancellation);
                done++;
                if (run.Outcome is RunOutcome.Crash or RunOutcome.Hang)
                    await _endings.ExamineAsync(run, cancellation);
                patient &= run.Outcome != RunOutcome.Hang;
            }
        }
        catch (Exception cut) when (cut is BudgetSpentException or OperationCanceledException)
        {
            Lab.NotDone.Add($"{Assembly.Name}: {plan.Count - done} of {plan.Count} runs of the levels");
            throw;
        }
    }
}
