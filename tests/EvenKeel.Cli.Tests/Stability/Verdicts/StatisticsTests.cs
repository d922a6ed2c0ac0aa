using EvenKeel.Cli.Stability.Verdicts;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Verdicts;

public sealed class StatisticsTests
{
    // Reference values: the formulas of Wilson (1927), computed to four places by hand and by R's prop.test without correction.
    [Theory]
    [InlineData(0, 10, 0, 0.2775)]
    [InlineData(1, 10, 0.0179, 0.4042)]
    [InlineData(5, 10, 0.2366, 0.7634)]
    [InlineData(10, 10, 0.7225, 1)]
    [InlineData(0, 0, 0, 1)]
    public void The_interval_is_that_of_Wilson(int failures, int runs, double low, double high)
    {
        var interval = Statistics.Wilson(failures, runs);

        Assert.Equal(low, interval.Low, 0.0001);
        Assert.Equal(high, interval.High, 0.0001);
    }

    [Theory]
    [InlineData(10, 0.2589)]
    [InlineData(20, 0.1391)]
    [InlineData(300, 0.0099)]
    [InlineData(0, 1)]
    public void Clean_runs_prove_a_bound_and_no_more(int runs, double bound) => Assert.Equal(bound, Statistics.ProvenBelow(runs), 0.0001);

    [Theory]
    [InlineData(5, 5, 0, 5, 0.003968)]
    [InlineData(3, 10, 3, 10, 0.686)]
    [InlineData(0, 10, 0, 10, 1)]
    [InlineData(2, 2, 0, 3, 0.1)]
    public void Two_groups_are_compared_exactly(int failures, int runs, int otherFailures, int otherRuns, double p) =>
        Assert.Equal(p, Statistics.Fisher(failures, runs, otherFailures, otherRuns), 0.0005);
}
