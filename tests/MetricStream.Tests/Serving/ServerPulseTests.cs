using System.Text;
using EvenKeel.Queue;
using MetricStream.Intake;
using MetricStream.Queueing;
using MetricStream.Serving;
using Xunit;

namespace MetricStream.Tests.Serving;

public sealed class ServerPulseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-pulse-").FullName;
    private readonly DurableQueue _queue;
    private readonly FileBatchQueue _batches;
    private readonly IntakeTimes _times = new();
    private readonly HandTime _time = new();

    public ServerPulseTests()
    {
        _queue = DurableQueue.Open(new DurableQueueOptions { Directory = _folder });
        _batches = new FileBatchQueue(_queue);
    }

    public void Dispose()
    {
        _queue.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Rates_and_percentiles_are_those_of_the_last_seconds()
    {
        using var pulse = new ServerPulse(new FilePulse(_queue, _batches), _times, _time);
        pulse.TakeBeat();
        Assert.Null(pulse.Rates());
        for (var second = 0; second < 20; second++)
        {
            for (var i = 0; i < (second < 10 ? 1 : 10); i++)
                await PostAsync();
            _times.AddRefused();
            Tick(pulse);
        }

        Assert.Equal(new Rates(11, 10, 0, 1), pulse.Rates());
        var latency = pulse.Latency();
        Assert.Equal((100, 100), (latency.Wait.Count, latency.Sync.Count));
        Assert.True(latency.Sync.P50 > TimeSpan.Zero && latency.Sync.P99 >= latency.Sync.P50);
        var history = pulse.History();
        Assert.Equal(20, history.Count);
        Assert.Equal([1, 10], history.Select(second => second.Rates.Acknowledged).Distinct());
        Assert.Equal(110, history[^1].Queued);
    }

    [Fact]
    public async Task A_growing_queue_says_when_it_is_full_and_one_at_rest_says_nothing()
    {
        using var pulse = new ServerPulse(new FilePulse(_queue, _batches), _times, _time);
        pulse.TakeBeat();
        Assert.Null(pulse.SecondsUntilFull(1 << 20));
        for (var second = 0; second < 10; second++)
        {
            for (var i = 0; i < 20; i++)
                await PostAsync();
            Tick(pulse);
        }

        var bytesASecond = 20.0 * _queue.Times.Bytes / _queue.Durable;
        var expected = ((1 << 20) - _queue.Bytes) / bytesASecond;
        Assert.InRange(pulse.SecondsUntilFull(1 << 20)!.Value, expected * 0.9, expected * 1.1);
        for (var second = 0; second < 61; second++)
            Tick(pulse);
        Assert.Null(pulse.SecondsUntilFull(1 << 20));
    }

    [Fact]
    public void Only_the_last_five_minutes_are_kept()
    {
        using var pulse = new ServerPulse(new FilePulse(_queue, _batches), _times, _time);
        pulse.TakeBeat();
        for (var second = 0; second < 400; second++)
            Tick(pulse);

        var history = pulse.History();

        Assert.Equal(300, history.Count);
        Assert.Equal(299_000, history[^1].UnixMs - history[0].UnixMs);
    }

    private void Tick(ServerPulse pulse)
    {
        _time.Seconds++;
        pulse.TakeBeat();
    }

    private async Task PostAsync()
    {
        var header = new byte[BatchRecord.MaxHeaderBytes];
        var length = BatchRecord.WriteHeader(header, BatchRecordKind.Batch, 0, 1, "c"u8, "id"u8);
        await _batches.AppendAsync(header.AsSpan(0, length), Encoding.UTF8.GetBytes("""{"metrics":[]}"""));
    }

    /// <summary>A clock that a test moves by a second.</summary>
    private sealed class HandTime : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(Seconds);
    }
}
