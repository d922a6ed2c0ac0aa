namespace MetricStream.Intake;

/// <summary>When a batch is answered.</summary>
internal enum AckMode
{
    /// <summary>When it is durable: 200.</summary>
    Durable,

    /// <summary>When it is on its way: 202. It can be lost with the process; a batch with an id of its client's still waits to be
    /// durable.</summary>
    Enqueued,
}

/// <summary>The bounds of intake.</summary>
internal sealed record IntakeOptions
{
    /// <summary>The largest body, before and after decompression (<c>--max-body-bytes</c>). Default 32 MiB: CONTRACT.</summary>
    public int MaxBodyBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>The most metrics of one batch. Default 10,000: CONTRACT.</summary>
    public int MaxMetrics { get; init; } = 10_000;

    /// <summary>Accepted batch ids kept in memory. Default 100,000: at an estimated 300 B each 30 MB.</summary>
    public int WindowEntries { get; init; } = 100_000;

    /// <summary>Bytes those ids may take. Default 64 MiB.</summary>
    public long WindowBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>How long an accepted id is known (<c>--id-window</c>), as in the store. Default 24 h: CONTRACT.</summary>
    public TimeSpan IdWindow { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a re-send waits for the outcome of its first before it is answered 409. Default 10 s: below the time-outs
    /// that clients commonly have.</summary>
    public TimeSpan ResendWait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Clients counted by name; further ones are counted together. Default 10,000.</summary>
    public int MaxClients { get; init; } = 10_000;

    /// <summary>What a 2xx means (<c>--ack</c>). Default durable.</summary>
    public AckMode Ack { get; init; }

    /// <summary>Batches answered before they are durable (<see cref="AckMode.Enqueued"/>); beyond so many, requests wait. Default
    /// 10,000.</summary>
    public int MaxEnqueued { get; init; } = 10_000;

    /// <summary>After the stop has begun, requests already in hand may still be taken for this long. Default 5 s: CONTRACT.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(5);
}
