using MetricStream.Load;
using Xunit;

namespace MetricStream.Tests.Load;

public sealed class RateSearchTests
{
    [Theory]
    [InlineData(7_300, 500)]
    [InlineData(120, 500)]
    [InlineData(500, 500)]
    [InlineData(3, 500)]
    public async Task The_highest_rate_held_is_found_within_five_percent(double capacity, double first)
    {
        var search = await SearchAsync(capacity, first);
        Assert.NotNull(search.Best);
        Assert.InRange(search.Best.Rate, capacity / 1.05, capacity);
        Assert.InRange(search.Steps.Count, 2, 20);
    }

    [Fact]
    public async Task A_server_that_holds_nothing_has_no_best_rate_and_the_search_ends()
    {
        var search = await SearchAsync(0, 500);
        Assert.Null(search.Best);
        Assert.Equal(9, search.Steps.Count);
    }

    [Fact]
    public async Task A_server_that_holds_everything_ends_the_search_at_the_highest_rate() =>
        Assert.InRange((await SearchAsync(double.MaxValue, 500)).Best!.Rate, RateSearch.HighestRate / 2, RateSearch.HighestRate);

    [Fact]
    public async Task An_interrupted_step_does_not_count()
    {
        using var interrupt = new CancellationTokenSource();
        var search = new RateSearch();
        await search.RunAsync(500, async rate =>
        {
            if (rate > 1000) await interrupt.CancelAsync();
            return Step(rate, 1e9);
        }, interrupt.Token);
        Assert.Equal([500, 1000], search.Steps.Select(step => step.Rate));
    }

    [Fact]
    public void A_step_breaks_by_a_failure_also_in_its_warm_up_and_by_p99_over_the_bound()
    {
        var bound = TimeSpan.FromMilliseconds(50);
        Assert.Null(RateStep.Judge(1, Result(Answered(200, 10)), Answered(200, 900), bound).Refusal);
        Assert.Equal("p99 80.0 ms over 50.0 ms", RateStep.Judge(1, Result(Answered(200, 80)), new(), bound).Refusal);
        Assert.Equal("1 failed", RateStep.Judge(1, Result(Answered(503, 10)), new(), bound).Refusal);
        Assert.Equal("1 failed", RateStep.Judge(1, Result(Answered(200, 10)), Answered(503, 10), bound).Refusal);
        Assert.Equal("nothing was sent", RateStep.Judge(1, Result(new()), new(), bound).Refusal);
    }

    private static async Task<RateSearch> SearchAsync(double capacity, double first)
    {
        var search = new RateSearch();
        await search.RunAsync(first, rate => Task.FromResult(Step(rate, capacity)), TestContext.Current.CancellationToken);
        return search;
    }

    private static RateStep Step(double rate, double capacity) => new(rate, Result(new()), rate <= capacity ? null : "too much");

    private static LoadResult Result(LoadTally tally) => new(new(1, 1, 3, 1, null), tally, TimeSpan.FromSeconds(1), false);

    private static LoadTally Answered(int status, double milliseconds)
    {
        var tally = new LoadTally();
        tally.Answered(status, TimeSpan.FromMilliseconds(milliseconds), null);
        return tally;
    }
}
