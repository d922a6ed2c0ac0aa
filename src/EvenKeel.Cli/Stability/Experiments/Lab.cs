using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Experiments;

/// <summary>The lab runs one assembly as often as asked, remembers every run, and stops when the budget is spent.</summary>
internal sealed class Lab(ISuiteRunner runner, Deadline deadline, ProgressLines view)
{
    private readonly List<RunRecord> _records = [];

    public Catalogue Catalogue => runner.Catalogue;

    public ISuiteRunner Runner => runner;

    /// <summary>Every run so far, those of the levels and the experiments.</summary>
    public IReadOnlyList<RunRecord> Records => _records;

    public IEnumerable<RunRecord> LevelRuns => _records.Where(record => !record.Spec.IsExperiment);

    public List<string> NotDone { get; } = [];

    /// <summary>Tests that are left out of further runs, because they would end each of them.</summary>
    public HashSet<int> LeftOut { get; } = [];

    public async Task<RunRecord> RunAsync(RunSpec spec, CancellationToken cancellation)
    {
        deadline.ThrowIfOver();
        if (LeftOut.Count > 0 && !spec.IsExperiment)
            spec = spec with { Order = [.. spec.Order.Where(test => !LeftOut.Contains(test))] };
        var record = await runner.RunAsync(spec, cancellation);
        _records.Add(record);
        view.Ran(Catalogue, record);
        return record;
    }

    /// <summary>An experiment: these tests, in this order, one after another unless more workers are named.</summary>
    public Task<RunRecord> TryAsync(
        IReadOnlyList<int> order, string purpose, RunConditions? conditions, CancellationToken cancellation, int workers = 1) =>
        RunAsync(new(workers, order, conditions ?? RunConditions.Quiet) { Purpose = purpose }, cancellation);

    /// <summary>Replaces what was thought of a run.</summary>
    public void Judge(RunRecord record, RunOutcome outcome)
    {
        var at = _records.IndexOf(record);
        _records[at] = record with { Outcome = outcome };
    }
}

/// <summary>The deadline is the moment at which the budget is spent.</summary>
internal sealed class Deadline(TimeSpan? budget, TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    public TimeSpan? Left => budget - Elapsed;

    public bool IsOver => Left is { } left && left <= TimeSpan.Zero;

    public void ThrowIfOver()
    {
        if (IsOver)
            throw new BudgetSpentException();
    }
}

/// <summary>The budget is spent: what was found so far is reported.</summary>
internal sealed class BudgetSpentException() : Exception("The budget is spent.");
