namespace MetricStream.Streaming;

/// <summary>Where the stream's batches come from: the file queue, or the partitions of a topic. Any thread.</summary>
internal interface IStreamSource
{
    /// <summary>Behind everything that is acknowledged, as far as this server knows; null while it knows nothing.</summary>
    StreamPlace? End();

    /// <summary>A reader from a place on.</summary>
    IStreamTail Open(StreamPlace from);

    /// <summary>The id of an event behind which a reader goes on at a place.</summary>
    string IdOf(StreamPlace place);

    /// <summary>Where to go on after the event with that id; null when no event of this source has such an id.</summary>
    StreamPlace? Read(string id);
}

/// <summary>A tail reads what was acknowledged, from a place on. It holds nothing back and keeps no position. One thread uses it at a
/// time.</summary>
internal interface IStreamTail : IDisposable
{
    /// <summary>The next to be read.</summary>
    StreamPlace Place { get; }

    /// <summary>What is there may be out of reach for a while, and is read later; false: what is durable can be read.</summary>
    bool MayStall { get; }

    /// <summary>Reads on, at most to <paramref name="until"/> (exclusive): the batches met, which are none where records were damaged,
    /// expired or no batches. Valid until the next call.</summary>
    IReadOnlyList<TailRecord> Read(StreamPlace until);
}

/// <summary>A batch as a tail met it: its place, when it arrived, and its body as it was posted.</summary>
internal readonly record struct TailRecord(int Partition, long Position, long ArrivedUnixMs, ReadOnlyMemory<byte> Body);
