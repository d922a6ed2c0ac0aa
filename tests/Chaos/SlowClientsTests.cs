using Xunit;

namespace Chaos;

/// <summary>The short version of <c>Chaos slow</c>, without a bound on time: others run beside it.</summary>
public sealed class SlowClientsTests
{
    [Fact]
    public async Task Idle_connections_and_dripping_clients_cost_a_good_client_no_batch()
    {
        var shape = new SlowShape(Idle: 500, SlowHeaders: 20, SlowBodies: 20, Rate: 50, TimeSpan.FromSeconds(2));
        var run = new SlowClients(shape, TestContext.Current.TestOutputHelper!.WriteLine);

        var (_, _, violations) = await run.RunAsync(TestContext.Current.CancellationToken);

        Assert.Empty(violations);
    }
}
