using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>What opening the queue found and repaired.</summary>
/// <param name="TornBytes">Bytes at the end of the log that were no whole record: the trace of a crash in the middle of a write. They were
/// cut off. No acknowledged record is among them, unless the disk damaged the very last group (docs/queue-format.md says what
/// remains).</param>
/// <param name="RemovedUnfinishedSegment">Name of a segment whose creation a crash had interrupted; null when there was none.</param>
/// <param name="SkippedSequences">Sequences left out because a reader had acknowledged beyond the end of the log: records were lost
/// that had been made durable (a restored copy, a disk that lied). 0 on a sound disk.</param>
/// <param name="DamagedCheckpoints">Names of readers whose position could not be read; they start again at the oldest record, which
/// is kept until they acknowledge it or are removed.</param>
public sealed record QueueRecovery(
    long TornBytes, string? RemovedUnfinishedSegment, long SkippedSequences, IReadOnlyList<string> DamagedCheckpoints);

/// <summary>The log after recovery: what the committer goes on from.</summary>
internal sealed record RecoveredLog(
    Guid QueueId, SegmentList Segments, long EndSequence, long LastBaseSequence, IQueueFile LastFile, long LastLength, QueueRecovery Report)
{
    /// <summary>Whether the log ends with the mark that says all of it is durable.</summary>
    public bool IsMarked { get; init; }
}

/// <summary>
/// Opens the log. Only the last segment is read: what lies before it was complete when it was begun. Its cost is that of one
/// segment, whatever the backlog.
/// </summary>
internal static class Recovery
{
    private const int RewriteChunkBytes = 1 << 20;

    public static RecoveredLog Run(IQueueStorage storage, IReadOnlyList<ReaderCheckpoint> checkpoints, DateTimeOffset now)
    {
        // 1. The segments in order; a last one that never got its header is the trace of a crash while it was made.
        var files = ListSegments(storage);
        string? removed = null;
        if (files.Count > 0 && IsUnfinished(files[^1].Length, ReadHeader(storage, files[^1])))
        {
            removed = files[^1].FileName;
            files.RemoveAt(files.Count - 1);
        }
        // 2. The queue's identity, which every header bears.
        var known = ReadQueueId(storage, files) ?? checkpoints.FirstOrDefault(c => c.QueueId != Guid.Empty)?.QueueId;
        if (known is null && files.Count > 0)
            throw new QueueOpenException(QueueOpenFailure.Unusable,
                $"None of the {files.Count} segments in '{storage.Location}' has a readable header, so nothing in them can be verified. "
                + "Move the folder away to start anew, and keep it: the payloads may still be legible.");
        if (removed is not null)
            storage.Delete(removed);
        // What the process before made or removed may still be in the system's memory only: a segment that is appended to, and a position
        // that is acknowledged, must have their names on the disk.
        storage.SyncDirectory();
        var queueId = known ?? Guid.NewGuid();
        var acknowledged = checkpoints.Where(c => c.QueueId == queueId).Select(c => c.Position).DefaultIfEmpty(0).Max();
        // 3. The end of the log, from the last segment.
        if (files.Count == 0)
            return Start(storage, queueId, acknowledged, now, removed, checkpoints);
        var last = files[^1];
        var file = storage.Open(last.FileName);
        try
        {
            var (tail, provenTail, endSequence) = FindTail(storage, queueId, last);
            // 4. A torn tail goes before the first append; what no mark proves is written anew, because a fsync that failed before the
            //    crash may have left pages that only look clean.
            if (tail < last.Length)
                file.SetLength(tail);
            Rewrite(file, provenTail == SegmentFormat.HeaderBytes ? 0 : provenTail, tail);
            file.Sync();
            var tornBytes = last.Length - tail;
            last.Length = tail;
            // 5. Sequences that a reader has acknowledged are never given to other records.
            var skipped = Math.Max(0, acknowledged - endSequence);
            var report = new QueueRecovery(tornBytes, removed, skipped, Unreadable(checkpoints, queueId));
            return new RecoveredLog(queueId, new SegmentList(files, endSequence), endSequence, last.BaseSequence, file, tail, report)
            {
                IsMarked = tail == provenTail + SegmentFormat.FrameHeaderBytes,
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a last segment is the trace of a crash while it was made: its header was never durable, so it never held a
    /// record.</summary>
    public static bool IsUnfinished(long length, SegmentHeader? header) =>
        length < SegmentFormat.HeaderBytes || (length == SegmentFormat.HeaderBytes && header is null);

    public static List<Segment> ListSegments(IQueueStorage storage) =>
        [.. storage.List()
            .Select(f => (IsSegment: SegmentFormat.TryParseFileName(f.Name, out var sequence), Sequence: sequence, f.Length))
            .Where(f => f.IsSegment)
            .OrderBy(f => f.Sequence)
            .Select(f => new Segment(f.Sequence, f.Length))];

    /// <summary>The id in the newest readable header. A header of a later format refuses the whole queue.</summary>
    public static Guid? ReadQueueId(IQueueStorage storage, IReadOnlyList<Segment> files)
    {
        for (var i = files.Count - 1; i >= 0; i--)
        {
            if (ReadHeader(storage, files[i]) is not { } header)
                continue;
            if (header.Version > SegmentFormat.Version)
                throw new QueueOpenException(QueueOpenFailure.NewerFormat,
                    $"'{files[i].FileName}' in '{storage.Location}' has format version {header.Version}; "
                    + $"this program knows up to {SegmentFormat.Version}. "
                    + "Use the version that wrote it, or a newer one.");
            return header.QueueId;
        }
        return null;
    }

    public static SegmentHeader? ReadHeader(IQueueStorage storage, Segment segment)
    {
        using var file = storage.Open(segment.FileName);
        Span<byte> bytes = stackalloc byte[SegmentFormat.HeaderBytes];
        return SegmentFormat.ReadHeader(bytes[..file.Read(bytes, 0)]);
    }

    private static RecoveredLog Start(
        IQueueStorage storage, Guid queueId, long baseSequence, DateTimeOffset now, string? removed,
        IReadOnlyList<ReaderCheckpoint> checkpoints)
    {
        var file = SegmentCreation.Create(storage, queueId, baseSequence, now);
        var segments = new SegmentList([new Segment(baseSequence, SegmentFormat.HeaderBytes)], baseSequence);
        var report = new QueueRecovery(0, removed, baseSequence, Unreadable(checkpoints, queueId));
        return new RecoveredLog(queueId, segments, baseSequence, baseSequence, file, SegmentFormat.HeaderBytes, report);
    }

    /// <summary>Where the last segment ends: behind its last frame that is sound, or whose header at least is (such a record keeps its
    /// sequence and is quarantined when it is read). Also what its marks prove durable, and the sequence after the last record.</summary>
    private static (long Tail, long ProvenTail, long EndSequence) FindTail(IQueueStorage storage, Guid queueId, Segment last)
    {
        using var cursor = new SegmentCursor(storage.Open(last.FileName), queueId, last.BaseSequence, last.Length, RewriteChunkBytes);
        long tail = SegmentFormat.HeaderBytes, proven = SegmentFormat.HeaderBytes;
        while (true)
        {
            var start = cursor.Offset;
            var step = cursor.Next();
            if (step == CursorStep.NeedsFill)
                cursor.Fill();
            else if (step == CursorStep.End)
                return (tail, proven, cursor.NextSequence);
            else if (step != CursorStep.Damage || cursor.Damage.HasHeader)
                tail = cursor.Offset;
            if (step == CursorStep.Mark)
                proven = start;
        }
    }

    private static void Rewrite(IQueueFile file, long from, long to)
    {
        var chunk = new byte[(int)Math.Min(RewriteChunkBytes, to - from)];
        for (var at = from; at < to; at += chunk.Length)
        {
            var part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, to - at));
            if (file.Read(part, at) != part.Length)
                throw new IOException($"A segment ended at {at} while it was read; {to} bytes were there a moment ago.");
            file.Write(part, at);
        }
    }

    private static string[] Unreadable(IReadOnlyList<ReaderCheckpoint> checkpoints, Guid queueId) =>
        [.. checkpoints.Where(c => c.QueueId != queueId).Select(c => c.Name)];
}
