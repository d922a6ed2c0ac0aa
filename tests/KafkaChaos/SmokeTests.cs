using KafkaChaos.Scenarios;
using Xunit;

namespace KafkaChaos;

/// <summary>The short versions of the long runs; each prints the command that runs it again.</summary>
public sealed class FloodSmokeTests
{
    [Fact]
    public Task A_flood_from_many_threads_is_in_the_log_once_in_order_in_its_partitions() =>
        Smoke.HoldsAsync("million", run => new Million(32_000, 64, isEmbedded: true).RunAsync(run));
}

/// <summary>The broker goes and comes.</summary>
public sealed class RestartSmokeTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_broker_that_goes_and_comes_under_load_costs_nothing(bool isSpilling) =>
        Smoke.HoldsAsync("restarts", run => new Restarts(1, 1000, isEmbedded: true, isSpilling).RunAsync(run));
}

/// <summary>The process is killed.</summary>
public sealed class ProcessKillSmokeTests
{
    [Fact]
    public Task A_process_killed_with_its_spill_in_use_loses_nothing_that_it_acknowledged() =>
        Smoke.HoldsAsync("processkill", run => new ProcessKill(3, 1000, isEmbedded: true).RunAsync(run));
}

/// <summary>Alone in the process, whose clients and threads it counts.</summary>
[Collection(nameof(StormSmokeTests))]
[CollectionDefinition(nameof(StormSmokeTests), DisableParallelization = true)]
public sealed class StormSmokeTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public Task Producers_created_and_disposed_of_at_once_crash_nothing_and_take_turns(int processes) =>
        Smoke.HoldsAsync("storm", run => new Storm(new StormShape(24, 16, processes, 2)).RunAsync(run));
}

/// <summary>A smoke is a scenario with small numbers and a fixed seed.</summary>
internal static class Smoke
{
    private const int Seed = 20261121;

    public static async Task HoldsAsync(string name, Func<ScenarioRun, Task> scenario)
    {
        var log = TestContext.Current.TestOutputHelper!;
        var verdict = await ScenarioRun.RunAsync(name, Seed, log.WriteLine, scenario, TestContext.Current.CancellationToken);
        Assert.Empty(verdict.Violations);
    }
}
