using Xunit;

namespace Chaos;

/// <summary>The short version of the long runs; each test prints the command that replays it.</summary>
public sealed class ChaosSmokeTests
{
    [Theory]
    [InlineData(0, 3, 20261121)]
    [InlineData(1, 2, 20261122)]
    [InlineData(2, 1, 20261123)]
    public async Task Ending_the_server_under_load_loses_and_doubles_nothing(int ending, int rounds, int seed)
    {
        var log = TestContext.Current.TestOutputHelper!;
        var run = new ChaosRun((Ending)ending, rounds, clients: 8, seed, log.WriteLine);
        Assert.Empty(await run.RunAsync(TestContext.Current.CancellationToken));
    }
}
