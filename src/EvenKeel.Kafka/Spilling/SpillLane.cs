using System.Diagnostics;
using EvenKeel.Kafka.Producing;
using EvenKeel.Queue;

namespace EvenKeel.Kafka.Spilling;

/// <summary>A record on its way into the spill, with the caller who waits.</summary>
internal sealed class SpillEntry(SpillLane lane, in SendEntry entry, byte[] payload, int bodyOffset, PendingSend send)
{
    // What a record costs in a group commit beside its payload.
    private const int FrameBytes = 64;

    private readonly SendEntry _entry = entry;

    public SpillLane Lane { get; } = lane;

    public ref readonly SendEntry Entry => ref _entry;

    public byte[] Payload { get; } = payload;

    /// <summary>Key, value and headers.</summary>
    public ReadOnlySpan<byte> Body => Payload.AsSpan(bodyOffset);

    public PendingSend Send { get; } = send;

    public required int Bucket { get; init; }

    public required long Ticket { get; init; }

    /// <summary>What Kafka said, if it was on its way before: the outcome when the spill cannot take it either.</summary>
    public DeliveryOutcome? Undelivered { get; init; }

    public int Cost => Payload.Length + FrameBytes;

    // Guarded by the route's gate.

    /// <summary>Earlier records of its key may be on their way straight: it goes to disk when this path has ended that era.</summary>
    public DirectPath? BehindPath { get; set; }

    public long BehindEra { get; set; }

    public long LinedUpAt { get; set; }

    public bool IsInLine { get; set; }

    public CancellationTokenRegistration Registration { get; set; }
}

/// <summary>
/// What of one topic goes through the spill: a line of records that wait to be written, a durable queue, and a replay. Order is the order
/// of the line, then of the queue. Everything here but the queue and its reader is guarded by the route's gate.
/// </summary>
internal sealed class SpillLane : IDisposable
{
    private readonly long _maxPendingBytes;

    public SpillLane(string topic, DurableQueue queue, DurableQueueOptions options)
    {
        Topic = topic;
        Queue = queue;
        Reader = queue.OpenReader("replay");
        OwnFrom = queue.Tail;
        Records = queue.Tail - Reader.Position;
        IsScanned = Records == 0;
        IsHolding = Records > 0;

        // Half of what the queue lets wait: it never has to make an append wait, which would lose the order.
        _maxPendingBytes = Math.Min(options.MaxPendingBytes, options.SegmentBytes) / 2;
    }

    public string Topic { get; }

    public DurableQueue Queue { get; }

    /// <summary>Replay only.</summary>
    public QueueReader Reader { get; }

    /// <summary>Records from this sequence on were written by this process: their tickets are its own.</summary>
    public long OwnFrom { get; }

    public SpilledKeys Keys { get; } = new();

    /// <summary>Records that wait to be written, in order.</summary>
    public LinkedList<SpillEntry> Line { get; } = new();

    /// <summary>Records handed to the queue and not replayed.</summary>
    public long Records { get; set; }

    /// <summary>Of those, bytes that are not known to be durable.</summary>
    public long PendingBytes { get; set; }

    /// <summary>Whether the keys are known of all records that an earlier process left.</summary>
    public bool IsScanned { get; set; }

    /// <summary>All of the topic's records go through the lane: Kafka is not known to take them.</summary>
    public bool IsHolding { get; set; }

    /// <summary>Held by an error that somebody has to repair, or for want of an answer: told once.</summary>
    public bool IsAlarmed { get; set; }

    /// <summary>
    /// The lane is about to be empty: since then its records wait in line, so that the replay can end; then the line goes straight. 0: not.
    /// </summary>
    public long ClosingSince { get; set; }

    public long OldestSpilledAtMs { get; set; }

    /// <summary>Nothing is written to the lane or sent from it any more.</summary>
    public Exception? Fault { get; set; }

    /// <summary>What the next record in line is behind: also should the one in line before it be cancelled.</summary>
    public DirectPath? BehindPath { get; set; }

    public long BehindEra { get; set; }

    public bool IsEmpty => Records == 0 && Line.Count == 0;

    public bool CanAppend(int cost) => PendingBytes == 0 || PendingBytes + cost <= _maxPendingBytes;

    public bool MustTake(int bucket) => !IsScanned || IsHolding || Keys.Contains(bucket);

    public void Enter(SpillEntry entry, bool first)
    {
        Debug.Assert(!entry.IsInLine, "a record is in line once");
        entry.IsInLine = true;
        entry.LinedUpAt = Stopwatch.GetTimestamp();
        if (first)
            Line.AddFirst(entry);
        else
            Line.AddLast(entry);
    }

    public void Leave(SpillEntry entry)
    {
        Debug.Assert(entry.IsInLine, "only who is in line can leave it");
        entry.IsInLine = false;
        if (Line.First!.Value == entry)
            Line.RemoveFirst();
        else
            Line.Remove(entry);

        // Does not wait for a cancellation that runs: that one finds IsInLine false under the gate.
        entry.Registration.Unregister();
    }

    public void Dispose()
    {
        Reader.Dispose();
        Queue.Dispose();
    }
}
