namespace EvenKeel.Queue.Inspection;

/// <summary>A named reader as its file tells it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Position">The sequence after the last one it acknowledged; null when that cannot be read.</param>
public sealed record InspectedReader(string Name, long? Position);

/// <summary>A segment, read from its first byte to its last.</summary>
/// <param name="File">File name.</param>
/// <param name="BaseSequence">Sequence of its first record, from the file name.</param>
/// <param name="Bytes">Length of the file.</param>
/// <param name="CreatedAt">When it was begun; null when its header cannot be read.</param>
/// <param name="Records">Sound records in it.</param>
/// <param name="LostRecords">Records that should be in it and are not sound.</param>
/// <param name="Damages">Places that are not sound, harmless ones included.</param>
public sealed record InspectedSegment(
    string File, long BaseSequence, long Bytes, DateTimeOffset? CreatedAt, long Records, long LostRecords, long Damages);

/// <summary>What reading a whole queue showed.</summary>
public sealed record InspectionSummary
{
    /// <summary>How many damages <see cref="Damage"/> lists at most; the others are counted and told to the callback only.</summary>
    public const int MaxListedDamages = 1000;

    /// <summary>The segments, oldest first.</summary>
    public required IReadOnlyList<InspectedSegment> Segments { get; init; }

    /// <summary>Sequence of the oldest record on disk.</summary>
    public required long Head { get; init; }

    /// <summary>The smallest position of a reader; <see cref="Head"/> when there is none.</summary>
    public required long Acked { get; init; }

    /// <summary>The sequence that the next record will get when the queue is opened.</summary>
    public required long Durable { get; init; }

    /// <summary>What the marks in the file prove to have been durable. What lies between this and <see cref="Durable"/> was written, and
    /// nothing in the file tells whether it was acknowledged. Equal after a clean close, and when the queue was idle.</summary>
    public required long ProvenDurable { get; init; }

    /// <summary>Sound records.</summary>
    public required long Records { get; init; }

    /// <summary>Records lost to damage.</summary>
    public required long LostRecords { get; init; }

    /// <summary>Bytes of the segments.</summary>
    public required long Bytes { get; init; }

    /// <summary>Bytes of the torn tail, see <see cref="InspectedDamageKind.TornTail"/>.</summary>
    public required long TornBytes { get; init; }

    /// <summary>All that is not sound, counted.</summary>
    public required long Damages { get; init; }

    /// <summary>The first <see cref="MaxListedDamages"/> of them.</summary>
    public required IReadOnlyList<InspectedDamage> Damage { get; init; }

    /// <summary>True when every byte of every file is as it was written.</summary>
    public bool IsSound => Damages == 0;
}
