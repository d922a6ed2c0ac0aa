using System.Globalization;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability;

/// <summary>
/// Progress as lines: a line a run of the levels, with what failed in it and the time that is left; a count for the experiments.
/// </summary>
internal sealed class ProgressLines(TextWriter output, TimeProvider time, TimeSpan? budget)
{
    private const int NamesALine = 3;

    private readonly long _began = time.GetTimestamp();
    private int _planned;
    private int _done;
    private int _experiments;

    public void Say(string line) => output.WriteLine(line);

    public void Planned(int runs) => _planned += runs;

    public void Ran(Catalogue catalogue, RunRecord record)
    {
        if (record.Spec.IsExperiment)
        {
            if (++_experiments % 10 == 0)
                output.WriteLine($"  {_experiments} experiments");
            return;
        }
        _done++;
        var spent = time.GetElapsedTime(_began);
        var left = spent / _done * (_planned - _done);
        if (budget is { } limit && limit - spent < left)
            left = limit - spent;
        var failed = record.Failures.Keys.Concat(record.Running).Distinct().Select(test => catalogue[test].Name).ToList();
        var more = failed.Count > NamesALine ? $" and {failed.Count - NamesALine} more" : "";
        var names = failed.Count == 0 ? "" : $": {string.Join(", ", failed.Take(NamesALine))}{more}";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"[{_done}/{_planned}] {record.Spec.Workers} worker(s), {record.Spec.Purpose}: {Words.Of(record.Outcome)} in "
                + $"{record.Seconds:0.0} s, {left:mm\\:ss} left{names}"));
    }
}
