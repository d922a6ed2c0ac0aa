using System.Globalization;
using Xunit;

namespace Simulation;

/// <summary>
/// Thousands of schedules against the model. To see one again: <c>EVENKEEL_SIM_SEED=n dotnet run --project tests/Simulation</c>;
/// for more than the suite's: <c>EVENKEEL_SIM_SCHEDULES=1000000</c> (from <c>EVENKEEL_SIM_FIRST=n</c> on).
/// </summary>
public sealed class ScheduleTests
{
    private const int SuiteSchedules = 10_000;

    [Fact]
    public void No_schedule_of_crashes_and_failures_breaks_a_promise()
    {
        if (Setting("EVENKEEL_SIM_SEED") is { } seed)
        {
            Replay(seed, DiskLie.None);
            return;
        }
        var first = Setting("EVENKEEL_SIM_FIRST") ?? 0;
        if (FirstViolation(first, Setting("EVENKEEL_SIM_SCHEDULES") ?? SuiteSchedules, DiskLie.None) is { } violated)
            Replay(violated, DiskLie.None);
    }

    /// <summary>Each of these once broke a promise.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(30)]
    [InlineData(93)]
    [InlineData(180)]
    [InlineData(206)]
    [InlineData(366)]
    [InlineData(379)]
    [InlineData(671)]
    [InlineData(921)]
    [InlineData(1107)]
    [InlineData(1314)]
    [InlineData(1355)]
    [InlineData(1656)]
    [InlineData(1860)]
    [InlineData(2070)]
    [InlineData(2145)]
    [InlineData(2501)]
    [InlineData(2798)]
    [InlineData(3292)]
    [InlineData(3988)]
    [InlineData(4286)]
    [InlineData(5010)]
    [InlineData(5834)]
    [InlineData(8827)]
    public void A_seed_that_once_failed_stays_repaired(int seed) => Replay(seed, DiskLie.None);

    [Theory]
    [InlineData(nameof(DiskLie.SkipSync))]
    [InlineData(nameof(DiskLie.AcknowledgeBeforeWrite))]
    [InlineData(nameof(DiskLie.SkipDirectorySync))]
    [InlineData(nameof(DiskLie.SkipCheckpointSync))]
    [InlineData(nameof(DiskLie.OneCheckpointSlot))]
    [InlineData(nameof(DiskLie.SkipTruncate))]
    [InlineData(nameof(DiskLie.SkipRewrite))]
    public void A_planted_bug_is_caught_within_the_suites_schedules(string lie)
    {
        var caught = FirstViolation(0, SuiteSchedules, Enum.Parse<DiskLie>(lie));
        Assert.True(caught is not null, $"{SuiteSchedules} schedules did not notice {lie}");
    }

    private static int? FirstViolation(int first, int schedules, DiskLie lie)
    {
        var violated = int.MaxValue;
        Parallel.For(first, first + schedules, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, (seed, loop) =>
        {
            if (Violation(seed, lie, null) is null)
                return;
            loop.Break();
            for (var seen = violated; seed < seen; seen = violated)
                Interlocked.CompareExchange(ref violated, seed, seen);
        });
        return violated == int.MaxValue ? null : violated;
    }

    private static void Replay(int seed, DiskLie lie)
    {
        var trace = new List<string>();
        if (Violation(seed, lie, trace) is { } violation)
            Assert.Fail($"SEED={seed}: {violation.Message}{Environment.NewLine}"
                + $"Again: EVENKEEL_SIM_SEED={seed} dotnet run --project tests/Simulation{Environment.NewLine}"
                + string.Join(Environment.NewLine, trace) + Environment.NewLine + violation);
    }

    private static Exception? Violation(int seed, DiskLie lie, List<string>? trace)
    {
        try
        {
            Schedule.Run(seed, lie, trace);
            return null;
        }
        catch (Exception violation) // Whatever comes out of a schedule is a finding: an unexpected exception as much as a broken promise.
        {
            return violation;
        }
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : null;
}
