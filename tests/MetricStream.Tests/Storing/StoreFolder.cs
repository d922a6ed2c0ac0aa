using System.Text;
using MetricStream.Queueing;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

/// <summary>A folder of one test with a store's file in it; kept, and named in the output, when the test fails.</summary>
internal sealed class StoreFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("metricstream-store-").FullName;

    public string File => System.IO.Path.Combine(Path, "store.db");

    public SqliteMetricStore Open(StoreLimits? limits = null) => SqliteMetricStore.Open(File, limits);

    /// <summary>The file and its log as they are on disk now, as a power cut would leave them at the most; opened as a store.</summary>
    public SqliteMetricStore OpenCopy(string name)
    {
        var copy = System.IO.Path.Combine(Path, name);
        System.IO.File.Copy(File, copy, overwrite: true);
        System.IO.File.Copy(File + "-wal", copy + "-wal", overwrite: true);
        return SqliteMetricStore.Open(copy);
    }

    public void Dispose()
    {
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
            TestContext.Current.TestOutputHelper?.WriteLine($"The store is kept in {Path}");
        else
            Directory.Delete(Path, recursive: true);
    }
}

/// <summary>Short ways to write down records and transactions.</summary>
internal static class Given
{
    public const string Source = "file:test";

    public static readonly SeriesFilter Everything = new(null, []);

    public static StoreRecord Batch(long position, string client, string id, string body, long arrived = 1000) =>
        Record(position, BatchRecordKind.Batch, client, id, body, arrived);

    public static StoreRecord Resend(long position, string client, string id) =>
        Record(position, BatchRecordKind.Resend, client, id, "", 1000);

    public static StoreTransaction Transaction(params StoreRecord[] records) =>
        new(Source, records.Length == 0 ? 0 : records[^1].Position + 1, 0, records);

    public static string Gauge(string name, double value, long time, string tags = "{}") =>
        FormattableString.Invariant($$"""{"metrics":[{"name":"{{name}}","type":"gauge","value":{{value}},"timestamp":{{time}},"tags":{{tags}}}]}""");

    public static SeriesFilter Named(string name, params KeyValuePair<string, string>[] tags) => new(name, tags);

    public static SampleQuery All(string name) => new(Named(name), long.MinValue, long.MaxValue, null, Aggregation.Avg);

    public static SamplePoint[] Points(IMetricStore store, string name) =>
        [.. store.Query(All(name), TestContext.Current.CancellationToken).SelectMany(series => series.Points)];

    // Through the bytes of the queue, as a record comes.
    private static StoreRecord Record(long position, BatchRecordKind kind, string client, string id, string body, long arrived)
    {
        var header = new byte[BatchRecord.MaxHeaderBytes];
        var length = BatchRecord.WriteHeader(header, kind, arrived, 1, Encoding.ASCII.GetBytes(client), Encoding.ASCII.GetBytes(id));
        return StoreRecord.Of(position, (byte[])[.. header.AsSpan(0, length), .. Encoding.UTF8.GetBytes(body)]);
    }
}
