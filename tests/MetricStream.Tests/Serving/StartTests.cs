using MetricStream.Serving;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Serving;

public sealed class StartTests : IDisposable
{
    private readonly ServeSettings _settings = new() { Port = 0, Data = Directory.CreateTempSubdirectory("metricstream-start-").FullName };

    public void Dispose() => Directory.Delete(_settings.Data, recursive: true);

    [Fact]
    public async Task A_store_whose_damage_shows_after_opening_is_refused_at_start()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_settings.StoreFile)!);
        SqliteMetricStore.Open(_settings.StoreFile).Dispose();
        using (var file = new FileStream(_settings.StoreFile, FileMode.Open))
        {
            // The first page, with the schema, stays: the file opens, its tables cannot be read.
            var damage = new byte[file.Length - 8192];
            Array.Fill(damage, (byte)0xFF);
            file.Position = 8192;
            file.Write(damage);
        }

        var refused = await Assert.ThrowsAsync<StartRefusedException>(
            () => Server.RunAsync(_settings, TestContext.Current.CancellationToken));

        Assert.Contains("damaged", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_file_that_cannot_be_made_is_refused_at_start()
    {
        Directory.CreateDirectory(Path.Combine(_settings.QueueFolder, "store.reader"));

        var refused = await Assert.ThrowsAsync<StartRefusedException>(
            () => Server.RunAsync(_settings, TestContext.Current.CancellationToken));

        Assert.Contains("store", refused.Message, StringComparison.Ordinal);
    }
}
