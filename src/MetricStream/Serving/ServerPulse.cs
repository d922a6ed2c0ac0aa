using MetricStream.Intake;
using MetricStream.Queueing;

namespace MetricStream.Serving;

/// <summary>
/// The server's pulse: once a second the counters as they stand, kept for five minutes. Rates and percentiles are differences between two
/// beats, so that measuring costs intake nothing but the counting.
/// </summary>
internal sealed class ServerPulse(IPulseSource source, IntakeTimes times, TimeProvider time) : IDisposable
{
    public const int RateSeconds = 5;
    public const int LatencySeconds = 10;

    private const int Kept = 301;
    private const int GrowthSeconds = 60;
    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    // Guarded by _gate.
    private readonly Lock _gate = new();
    private readonly LinkedList<Beat> _beats = new();

    /// <summary>What a batch waited for was a broker, not this server's disk.</summary>
    public bool IsBrokers => source.IsBrokers;

    public long NowUnixMs => time.GetUtcNow().ToUnixTimeMilliseconds();

    public void Start()
    {
        TakeBeat();
        _running = BeatAsync();
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Batches a second over the last <see cref="RateSeconds"/>; null before the second beat.</summary>
    public Rates? Rates()
    {
        lock (_gate)
            return RatesLocked(_beats.Last, RateSeconds);
    }

    /// <summary>The percentiles over the last <see cref="LatencySeconds"/>.</summary>
    public LatencySplit Latency()
    {
        lock (_gate)
        {
            if (_beats.Last is not { } last)
                return default;
            var (now, before) = (last.Value, Before(last, LatencySeconds).Value);
            return new LatencySplit(
                Percentiles.Of(before.Totals, now.Totals), Percentiles.Of(before.Parses, now.Parses),
                Percentiles.Of(before.Read.Waits, now.Read.Waits), Percentiles.Of(before.Read.Syncs, now.Read.Syncs));
        }
    }

    /// <summary>Seconds until the queue is at its limit if the last minute goes on; null while it does not grow.</summary>
    public double? SecondsUntilFull(long maxBytes)
    {
        lock (_gate)
        {
            if (_beats.Last is not { } last || Before(last, GrowthSeconds).Value is var before && before.At == last.Value.At)
                return null;
            var growth = (last.Value.Read.Held - before.Read.Held) / time.GetElapsedTime(before.At, last.Value.At).TotalSeconds;
            // Less than one batch a second is the jitter of a store that keeps up.
            if (growth < 1 || last.Value.Read.BytesEach is not > 0)
                return null;
            return Math.Max(0, maxBytes - source.Read().HeldBytes) / (growth * last.Value.Read.BytesEach.Value);
        }
    }

    /// <summary>Every second of the last five minutes, oldest first.</summary>
    public IReadOnlyList<PulseSecond> History()
    {
        var seconds = new List<PulseSecond>(Kept);
        lock (_gate)
        {
            for (var beat = _beats.First?.Next; beat is not null; beat = beat.Next)
            {
                var (now, before) = (beat.Value, beat.Previous!.Value);
                seconds.Add(new PulseSecond(
                    now.UnixMs, RatesLocked(beat, 1)!.Value, Percentiles.Of(before.Totals, now.Totals), now.Read.Queued, now.Read.Spilled,
                    now.Read.HeldBytes));
            }
        }
        return seconds;
    }

    private async Task BeatAsync()
    {
        using var timer = new PeriodicTimer(BeatEvery, time);
        using var ended = _stop.Token.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        while (await timer.WaitForNextTickAsync())
            TakeBeat();
    }

    /// <summary>One beat; once a second.</summary>
    internal void TakeBeat()
    {
        var beat = new Beat(
            time.GetTimestamp(), NowUnixMs, source.Read(), times.Refused, times.Totals.Read(), times.Parses.Read());
        lock (_gate)
        {
            _beats.AddLast(beat);
            if (_beats.Count > Kept)
                _beats.RemoveFirst();
        }
    }

    private Rates? RatesLocked(LinkedListNode<Beat>? last, int seconds)
    {
        if (last?.Previous is null)
            return null;
        var (now, before) = (last.Value, Before(last, seconds).Value);
        var elapsed = time.GetElapsedTime(before.At, now.At).TotalSeconds;
        var (acknowledged, refused) = (now.Read.Acknowledged - before.Read.Acknowledged, now.Refused - before.Refused);
        return new Rates(
            (acknowledged + refused) / elapsed, acknowledged / elapsed, (now.Read.Stored - before.Read.Stored) / elapsed,
            refused / elapsed)
        {
            Replayed = (now.Read.Replayed - before.Read.Replayed) / elapsed,
        };
    }

    private static LinkedListNode<Beat> Before(LinkedListNode<Beat> beat, int seconds)
    {
        for (; seconds > 0 && beat.Previous is { } previous; seconds--)
            beat = previous;
        return beat;
    }

    private sealed record Beat(long At, long UnixMs, PulseReading Read, long Refused, long[] Totals, long[] Parses);
}

/// <summary>Batches a second: posted, made durable, stored (or settled otherwise by the store), refused.</summary>
internal readonly record struct Rates(double In, double Acknowledged, double Stored, double Refused)
{
    /// <summary>Batches that went from the spill to Kafka.</summary>
    public double Replayed { get; init; }
}

/// <summary>Of one part of the latency, with the number of batches it is read from.</summary>
internal readonly record struct Percentiles(long Count, TimeSpan? P50, TimeSpan? P99)
{
    public static Percentiles Of(long[] before, long[] now) => new(
        TimeHistogram.Count(before, now), TimeHistogram.Percentile(before, now, 50), TimeHistogram.Percentile(before, now, 99));
}

/// <summary>Where the time between body and acknowledgement went.</summary>
internal readonly record struct LatencySplit(Percentiles Total, Percentiles Parse, Percentiles Wait, Percentiles Sync);

/// <summary>One second of the pulse.</summary>
internal readonly record struct PulseSecond(long UnixMs, Rates Rates, Percentiles Total, long Queued, long Spilled, long QueueBytes);
