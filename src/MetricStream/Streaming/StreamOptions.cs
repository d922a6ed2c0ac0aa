namespace MetricStream.Streaming;

/// <summary>The bounds of <c>/stream</c>.</summary>
internal sealed record StreamOptions
{
    /// <summary>The most readers of the queue at one time, all subscribers together (<c>--sse-consumer-pool-size</c>,
    /// <c>SSE_CONSUMER_POOL_SIZE</c>). Default 10: CONTRACT.</summary>
    public int Readers { get; init; } = 10;

    /// <summary>The most subscribers; one more is answered 503. Default 2,000: twice what the contract asks of one server, at up to
    /// about 200 KiB of buffers each.</summary>
    public int MaxSubscribers { get; init; } = 2000;

    /// <summary>How often a subscriber gets a frame at the most. Default 100 ms: CONTRACT (10 a second).</summary>
    public TimeSpan FrameEvery { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>After so long without a frame a subscriber gets a comment. Default 15 s: CONTRACT.</summary>
    public TimeSpan HeartbeatEvery { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A subscriber that takes nothing for so long is cut. Default 10 s: a page that is alive reads within that.</summary>
    public TimeSpan StuckAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The most points of one frame: beyond it a live stream drops and counts, a replay goes on with the next frame.
    /// Default 20,000: half a megabyte.</summary>
    public int FramePoints { get; init; } = 20_000;

    /// <summary>Bytes that the system may buffer for one subscriber; what does not fit is noticed as slowness. Default 128 KiB.</summary>
    public int SendBufferBytes { get; init; } = 128 << 10;
}
