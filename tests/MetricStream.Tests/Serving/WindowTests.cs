using EvenKeel.Testing.Cluster;
using MetricStream.Storing;
using MetricStream.Tests.Storing;
using Xunit;

namespace MetricStream.Tests.Serving;

/// <summary>The windows of a whole server: what is older than they say goes while it runs.</summary>
public sealed class WindowTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-windows-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("file", "sqlite")]
    [InlineData("kafka", "sqlite")]
    [InlineData("file", "postgres")]
    [InlineData("kafka", "postgres")]
    public async Task Samples_and_batches_older_than_their_windows_go_and_closed_times_are_rolled_up(string queue, string store)
    {
        using var place = store == "postgres" ? PostgresPlace.Take() : null;
        await using var broker = queue == "kafka" ? EmbeddedBroker.Start() : null;
        await using var server = await ServedProcess.StartAsync(_folder,
        [
            "--retention", "1s", "--id-window", "1s", "--queue", queue, "--store", store,
            .. broker is null ? Array.Empty<string>() : ["--bootstrap-servers", broker.BootstrapServers],
            .. place is null ? Array.Empty<string>() : ["--postgres", place.ConnectionString],
        ]);
        var answer = await server.PostAsync("""{"metrics":[{"name":"cpu","type":"gauge","value":1}]}""", ("Idempotency-Key", "b1"));
        Assert.Equal(200, answer.Status);

        // The first round of roll-ups begins with the server.
        var seen = ("", "", "", false);
        await ServedProcess.UntilAsync(
            async () =>
            {
                seen = (
                    (await server.GetAsync("/api/stats")).Json.GetProperty("stored").GetRawText(),
                    (await server.GetAsync("/api/clients/anonymous/batches")).Json.GetRawText(),
                    (await server.GetAsync("/api/series")).Json.GetRawText(), ClosedUntil(place) > RollupState.Never);
                return seen == ("1", "[]", "[]", true);
            },
            () => $"stored, batches, series, rolled up: {seen}; {server.Said}");
    }

    private long ClosedUntil(PostgresPlace? place)
    {
        if (place is not null)
            return place.Number("SELECT value FROM rollup_state WHERE name = 'closed'");
        using var file = Database.Open(Path.Combine(_folder, "data", "store", "metrics.db"), write: false, TimeSpan.FromSeconds(1));
        return file.Scalar("SELECT closed_until FROM rollup_state");
    }
}
