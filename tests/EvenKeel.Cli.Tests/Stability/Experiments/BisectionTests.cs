using EvenKeel.Cli.Stability.Experiments;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Experiments;

public sealed class BisectionTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(100)]
    public async Task The_one_that_is_needed_is_found_wherever_it_stands(int count)
    {
        for (var culprit = 0; culprit < count; culprit++)
        {
            var found = await Bisection.FindAsync([.. Enumerable.Range(0, count)], part => Task.FromResult(part.Contains(culprit)));
            Assert.Equal([culprit], found);
        }
    }

    [Fact]
    public async Task Two_that_are_needed_together_are_both_found()
    {
        var found = await Bisection.FindAsync(
            [.. Enumerable.Range(0, 64)], part => Task.FromResult(part.Contains(3) && part.Contains(60)));

        Assert.Equal([3, 60], found);
    }

    [Fact]
    public async Task A_thousand_tests_take_at_most_twice_their_logarithm_of_runs()
    {
        var runs = 0;
        await Bisection.FindAsync([.. Enumerable.Range(0, 1024)], part =>
        {
            runs++;
            return Task.FromResult(part.Contains(1000));
        });

        Assert.InRange(runs, 10, 20);
    }
}
