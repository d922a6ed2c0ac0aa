using EvenKeel.Cli.Stability.Planning;
using EvenKeel.Cli.Stability.Suites;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Planning;

public sealed class RunPlanTests
{
    private static readonly Catalogue Tests = Catalogue.Of(Enumerable.Range(0, 8).Select(i => new TestCase(i, $"{i}", $"T{i}", "C", $"T{i}")));

    [Theory]
    [InlineData(10, new[] { 1, 2, 4 })]
    [InlineData(4, new[] { 1, 2, 4 })]
    [InlineData(10, new[] { 2 })]
    public void Every_sweep_is_in_the_plan_and_an_order_with_its_reverse(int iterations, int[] levels)
    {
        var plan = RunPlan.Create(Tests, new(iterations, levels, 7, Shuffle: true, Noise: true));

        Assert.Equal(iterations * levels.Length, plan.Count);
        Assert.Contains(plan, run => run.Conditions.Noise);
        Assert.Contains(plan, run => run.Conditions.ProcessorCount == 1);
        Assert.Contains(plan, run => run.Conditions.Culture is not null && run.Conditions.TimeZone is not null);
        var shuffled = plan.First(run => run.Purpose == "shuffled");
        Assert.Contains(plan, run => run.Workers == shuffled.Workers && run.Order.Reverse().SequenceEqual(shuffled.Order));
    }

    [Fact]
    public void Two_runs_are_an_order_and_its_reverse()
    {
        var plan = RunPlan.Create(Tests, new(2, [1], 7, Shuffle: true, Noise: true));

        Assert.Equal(["shuffled", "reversed"], plan.Select(run => run.Purpose));
    }

    [Fact]
    public void An_order_and_its_reverse_have_each_two_classes_both_ways_round_and_tear_none_apart()
    {
        var catalogue = Catalogue.Of(Enumerable.Range(0, 24)
            .Select(i => new TestCase(i, $"{i}", $"T{i}", $"C{i % 6}", $"T{i}") { Collection = $"{i % 6}" }));
        for (var seed = 1; seed <= 20; seed++)
        {
            var orders = RunPlan.Create(catalogue, new(2, [1], seed, Shuffle: true, Noise: true))
                .Select(run => run.Order.Select(test => catalogue[test].Class).ToList()).ToList();

            Assert.All(orders, order => Assert.Equal(6, order.Where((name, at) => at == 0 || order[at - 1] != name).Count()));
            Assert.Equal(orders[0].Distinct().Reverse(), orders[1].Distinct());
        }
    }

    [Fact]
    public void A_seed_gives_the_same_plan_and_another_one_another()
    {
        string Orders(int seed) => string.Join('|', RunPlan.Create(Tests, new(10, [1, 2], seed, Shuffle: true, Noise: true))
            .Select(run => $"{run.Workers} {string.Join(',', run.Order)} {run.Conditions}"));

        Assert.Equal(Orders(7), Orders(7));
        Assert.NotEqual(Orders(7), Orders(8));
    }

    [Fact]
    public void What_is_switched_off_is_not_in_the_plan()
    {
        var plan = RunPlan.Create(Tests, new(10, [1, 2], 7, Shuffle: false, Noise: false));

        Assert.DoesNotContain(plan, run => run.Conditions.IsLoaded);
        Assert.All(plan, run => Assert.Equal(Enumerable.Range(0, 8), run.Order));
    }
}
