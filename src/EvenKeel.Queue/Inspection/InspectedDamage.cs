namespace EvenKeel.Queue.Inspection;

/// <summary>What is wrong with a stretch of a queue.</summary>
public enum InspectedDamageKind
{
    /// <summary>One of the two copies of a segment's header cannot be read; the other serves. No record is lost.</summary>
    HeaderCopy,

    /// <summary>No copy of a segment's header can be used. Its records are checked all the same; no record is lost by this alone.</summary>
    Header,

    /// <summary>The payload of one record does not match its checksum.</summary>
    Payload,

    /// <summary>Bytes that are no frame.</summary>
    Frames,

    /// <summary>The filling behind a sound record is not zero. No record is lost.</summary>
    Padding,

    /// <summary>A record whose sequence an earlier segment holds already: files of two histories of the queue were mixed.
    /// Readers skip it.</summary>
    Repeated,

    /// <summary>Sequences that no byte of the log holds any more.</summary>
    Missing,

    /// <summary>Bytes at the end of the log that are no whole record: a write that a crash interrupted before it was acknowledged, or
    /// damage to the last group, which looks the same. Opening the queue cuts them off.</summary>
    TornTail,

    /// <summary>The last segment never got its header: a crash while it was made. Opening the queue removes it.</summary>
    UnfinishedSegment,

    /// <summary>The position of a reader cannot be read, or belongs to another queue: that reader starts again at the oldest
    /// record.</summary>
    ReaderPosition,
}

/// <summary>Something that is not sound in a queue, whether it costs records or not.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="File">Name of the file.</param>
/// <param name="Offset">Byte offset in it.</param>
/// <param name="Bytes">Length in bytes; 0 when the bytes are not there at all.</param>
/// <param name="FirstSequence">Sequence of the first record concerned.</param>
/// <param name="Records">Records lost. Of a torn tail nobody can tell how many were begun: 0.</param>
/// <param name="Explanation">For people: what it means and what to do.</param>
public sealed record InspectedDamage(
    InspectedDamageKind Kind, string File, long Offset, long Bytes, long FirstSequence, long Records, string Explanation);

/// <summary>One thing met on the way through a queue: a sound record, or damage.</summary>
/// <param name="Record">The record; its payload is valid until the next finding. Null when this is damage.</param>
/// <param name="Damage">The damage; null when this is a record.</param>
public readonly record struct QueueFinding(QueueRecord? Record, InspectedDamage? Damage);
