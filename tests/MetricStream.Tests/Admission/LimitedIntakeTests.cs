using EvenKeel.Testing.Synchronization;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Tests.Intake;
using Xunit;

namespace MetricStream.Tests.Admission;

/// <summary>A rate limit as a client sees it.</summary>
public sealed class LimitedIntakeTests
{
    private const string Good = IntakeServer.GoodBody;

    private readonly ManualTime _time = new();

    [Theory]
    [InlineData("X-Client-Id")]
    [InlineData(null)]
    public async Task Over_its_rate_a_client_is_429_with_the_time_to_wait_and_others_are_not(string? header)
    {
        await using var server = await IntakeServer.StartAsync(gate: new Gate(null, 3, _time));

        for (var i = 0; i < 3; i++)
            Assert.Equal(200, (await PostAsync("a")).Status);
        var refused = await PostAsync("a");
        Assert.Equal((429, Problem.MediaType), (refused.Status, refused.MediaType));
        Assert.Equal("1", Assert.Single(refused.Headers.GetValues("Retry-After")));
        Assert.Contains("Client 'a' posts more than 3 batches a second", refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(200, (await PostAsync("b")).Status);
        Assert.Equal(3 + 1, server.Queue.Count);
        Assert.Equal(1, server.Ledger.Snapshot().Single(client => client.ClientId == "a").UnsavedRejected);

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(200, (await PostAsync("a")).Status);

        Task<Answer> PostAsync(string client) => header is null
            ? server.PostAsync(Good.Replace("{\"metrics\"", $"{{\"client_id\":\"{client}\",\"metrics\"", StringComparison.Ordinal))
            : server.PostAsync(Good, (header, client));
    }

    [Fact]
    public async Task Those_who_name_nobody_share_one_rate()
    {
        await using var server = await IntakeServer.StartAsync(gate: new Gate(null, 1, _time));

        Assert.Equal(200, (await server.PostAsync(Good)).Status);
        Assert.Equal(429, (await server.PostAsync(Good)).Status);
        Assert.Equal(429, (await server.PostAsync(Good, ("X-Client-Id", "anonymous"))).Status);
    }
}
