using EvenKeel.Cli.Stability;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Experiments;

/// <summary>Whole studies of simulated suites, many seeds each: the right verdict, and nobody accused who is stable.</summary>
public sealed class VerdictTests
{
    private const int Seeds = 40;

    [Fact]
    public async Task A_victim_gets_its_polluter_and_nobody_else_is_accused()
    {
        for (var seed = 1; seed <= Seeds; seed++)
        {
            var suite = new SimulatedSuite(60, seed);
            suite.FailsWhen[7] = moment => moment.Ran(41);

            var found = Assert.Single((await StudyAsync(suite, seed)).Findings.Values);
            Assert.Equal((7, TestVerdict.OrderDependent), (found.Test, found.Verdict));
            Assert.Equal([41], found.Related);
        }
    }

    [Fact]
    public async Task A_test_that_needs_another_before_it_gets_that_one()
    {
        for (var seed = 1; seed <= Seeds; seed++)
        {
            var suite = new SimulatedSuite(60, seed);
            suite.FailsWhen[50] = moment => !moment.Ran(3);

            var found = Assert.Single((await StudyAsync(suite, seed)).Findings.Values);
            Assert.Equal((50, TestVerdict.OrderDependent), (found.Test, found.Verdict));
            Assert.Equal([3], found.Related);
        }
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(0.8)]
    public async Task Chance_is_called_flaky_and_nothing_else_is_blamed_for_it(double rate)
    {
        var verdicts = new List<TestVerdict>();
        for (var seed = 1; seed <= Seeds; seed++)
        {
            var suite = new SimulatedSuite(20, seed);
            suite.FailsWhen[7] = moment => moment.Chance.NextDouble() < rate;
            var study = await StudyAsync(suite, seed);
            Assert.DoesNotContain(study.Findings.Keys, test => test != 7);
            verdicts.AddRange(study.Findings.Values.Select(found => found.Verdict));
        }

        // Two comparisons at 5 % each: one in ten may be called race or timing; an experiment of pairs never blames a place or an order.
        Assert.InRange(verdicts.Count(verdict => verdict == TestVerdict.Flaky), verdicts.Count * 8 / 10, verdicts.Count);
        Assert.DoesNotContain(verdicts, verdict => verdict is TestVerdict.Environment or TestVerdict.OrderDependent or TestVerdict.Broken);
    }

    [Fact]
    public async Task Each_cause_gets_its_own_verdict_in_one_suite()
    {
        var right = 0;
        for (var seed = 1; seed <= Seeds; seed++)
        {
            var suite = new SimulatedSuite(30, seed);
            suite.FailsWhen[1] = moment => moment.Spec.Conditions.Culture == "tr-TR";
            suite.FailsWhen[2] = moment => moment.Spec.Conditions.ProcessorCount == 1;
            suite.FailsWhen[3] = moment => moment.Spec.Workers > 1 && moment.Spec.Order.Count > 1 && moment.Chance.Next(2) == 0;
            suite.FailsWhen[4] = moment => moment.Spec.Conditions.IsLoaded && moment.Chance.Next(4) > 0;
            suite.FailsWhen[5] = _ => true;
            suite.Ends[6] = RunOutcome.Crash;

            var findings = (await StudyAsync(suite, seed)).Findings;
            Assert.Equal([1, 2, 3, 4, 5, 6], findings.Keys.Order());
            Assert.Equal(
                [TestVerdict.Environment, TestVerdict.Environment, TestVerdict.Broken, TestVerdict.Crash],
                new[] { 1, 2, 5, 6 }.Select(test => findings[test].Verdict));
            right += findings[3].Verdict == TestVerdict.Race && findings[4].Verdict == TestVerdict.Timing ? 1 : 0;
        }

        Assert.InRange(right, Seeds * 9 / 10, Seeds);
    }

    [Fact]
    public async Task A_run_whose_surroundings_failed_counts_for_nobody()
    {
        var failing = 3;
        var suite = new SimulatedSuite(30, 1) { SurroundingsFail = _ => failing-- == 0 };

        var study = await StudyAsync(suite, 1);

        Assert.Empty(study.Findings);
        Assert.Single(study.Lab.LevelRuns, run => run.Outcome == RunOutcome.Infrastructure);
    }

    [Fact]
    public async Task A_polluter_of_nearly_everything_is_no_failure_of_the_surroundings()
    {
        var suite = new SimulatedSuite(10, 1);
        for (var victim = 1; victim < 10; victim++)
            suite.FailsWhen[victim] = moment => moment.Ran(0);

        var study = await StudyAsync(suite, 1);

        Assert.DoesNotContain(study.Lab.LevelRuns, run => run.Outcome == RunOutcome.Infrastructure);
        Assert.Equal(9, study.Findings.Count);
        Assert.All(study.Findings.Values, found => Assert.Equal([0], found.Related));
    }

    [Fact]
    public async Task Who_leaves_something_behind_is_found_and_what_every_run_leaves_is_nobodys()
    {
        var suite = new SimulatedSuite(40, 1)
        {
            Leaves = spec => spec.Order.Contains(23)
                ? [new("file", "left.txt"), new("environment", "variable OF_THE_FRAMEWORK set")]
                : [new("environment", "variable OF_THE_FRAMEWORK set")],
        };

        var study = await StudyAsync(suite, 1);

        Assert.Equal((23, TestVerdict.Leak), (Assert.Single(study.Findings.Values).Test, study.Findings[23].Verdict));
        Assert.Equal("left.txt", Assert.Single(study.Leaks).What);
    }

    [Theory]
    [InlineData(3, 5, false)]
    [InlineData(3, 0.5, true)]
    [InlineData(1, 0.5, false)]
    public async Task An_end_that_takes_no_longer_than_the_beginning_is_a_busy_machine(double teardown, float beginning, bool isSlow)
    {
        var suite = new SimulatedSuite(10, 1) { TeardownSeconds = _ => teardown, FirstStartSeconds = beginning };

        Assert.Equal(isSlow, (await StudyAsync(suite, 1)).Teardown.IsSlow);
    }

    private static async Task<AssemblyStudy> StudyAsync(SimulatedSuite suite, int seed)
    {
        var options = new StabilityOptions("", new(10, [1, 2, 4], seed, Shuffle: true, Noise: true), "");
        var study = new AssemblyStudy(suite, options, new(null, TimeProvider.System), new(TextWriter.Null, TimeProvider.System, null));
        await study.RunAsync(TestContext.Current.CancellationToken);
        return study;
    }
}
