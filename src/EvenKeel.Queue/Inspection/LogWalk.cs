using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue.Inspection;

/// <summary>A segment file and what its header says; null when no copy of it can be read.</summary>
internal sealed record SegmentFile(string Name, long BaseSequence, long Length, SegmentHeader? Header, bool BothCopies)
{
    /// <summary>What recovery takes for the trace of a crash while the segment was made.</summary>
    public bool IsUnfinished => Recovery.IsUnfinished(Length, Header);
}

/// <summary>
/// One way through a whole queue, front to back, in constant memory: every record that is sound, everything that is not, and the tally.
/// What a <see cref="QueueReader"/> would skip is damage here too; beyond that it tells of damage that costs no record.
/// </summary>
internal sealed class LogWalk(
    IQueueStorage storage, Guid? queueId, IReadOnlyList<SegmentFile> files, IReadOnlyList<InspectedReader> readers)
{
    private const int BufferBytes = 1 << 20;

    private readonly List<InspectedSegment> _segments = [];
    private readonly List<InspectedDamage> _listed = [];
    private long _next;
    private long _proven;
    private long _records;
    private long _lost;
    private long _damages;
    private long _tornBytes;

    public IEnumerable<QueueFinding> Run()
    {
        var positions = readers.Select(r => r.Position).OfType<long>().ToList();
        // 1. Readers, and what they miss before the first segment.
        foreach (var reader in readers.Where(r => r.Position is null))
            yield return Damaged(InspectedDamageKind.ReaderPosition, reader.Name + ReaderCheckpoint.FileSuffix, (0, 0), 0, 0,
                $"The position of reader '{reader.Name}' cannot be read or is of another queue; it starts again at the oldest record.");
        _next = _proven = files.Count > 0 ? files[0].BaseSequence : 0;
        if (files.Count > 0 && positions.Count > 0 && positions.Min() is var oldest && oldest < _next)
            yield return Damaged(InspectedDamageKind.Missing, files[0].Name, (0, 0), oldest, _next - oldest,
                $"A reader stands at {oldest}, but the oldest segment begins at {_next}: segments before it are gone.");
        // 2. The segments. The first sequence of the next one tells how many records a segment must have had.
        for (var i = 0; i < files.Count; i++)
        {
            var (records, lost, damages) = (_records, _lost, _damages);
            foreach (var finding in Segment(files[i], i + 1 < files.Count ? files[i + 1] : null))
                yield return finding;
            _segments.Add(new InspectedSegment(files[i].Name, files[i].BaseSequence, files[i].Length,
                files[i].Header is { } header ? DateTimeOffset.FromUnixTimeMilliseconds(header.CreatedUnixMs) : null,
                _records - records, _lost - lost, _damages - damages));
        }
        // 3. What was acknowledged was in the log once.
        var end = positions.DefaultIfEmpty(0).Max();
        if (end > _next)
        {
            var (name, length) = files.Count > 0 ? (files[^1].Name, files[^1].Length) : ("", 0);
            yield return Damaged(InspectedDamageKind.Missing, name, (length, 0), _next, end - _next,
                $"A reader has acknowledged up to {end}, but the log ends at {_next}: its end is gone. "
                + "Opening the queue leaves these sequences out.");
            _next = end;
        }
    }

    /// <summary>The tally; whole once <see cref="Run"/> is at its end.</summary>
    public InspectionSummary Summarize()
    {
        var head = files.Count > 0 ? files[0].BaseSequence : _next;
        return new InspectionSummary
        {
            Segments = _segments,
            Head = head,
            Acked = readers.Select(r => r.Position).OfType<long>().DefaultIfEmpty(head).Min(),
            Durable = _next,
            ProvenDurable = _proven,
            Records = _records,
            LostRecords = _lost,
            Bytes = files.Sum(f => f.Length),
            TornBytes = _tornBytes,
            Damages = _damages,
            Damage = _listed,
        };
    }

    private IEnumerable<QueueFinding> Segment(SegmentFile file, SegmentFile? following)
    {
        if (following is null && file.IsUnfinished)
        {
            yield return Damaged(InspectedDamageKind.UnfinishedSegment, file.Name, (0, file.Length), file.BaseSequence, 0,
                "The segment never got its header: a crash while it was made, or the file was cut. It holds no record; "
                + "opening the queue removes it.");
            yield break;
        }
        if (HeaderDamage(file) is { } header)
            yield return header;
        (long Offset, long Bytes)? tail = null;
        using var cursor = new SegmentCursor(storage.Open(file.Name), queueId ?? Guid.Empty, file.BaseSequence, file.Length, BufferBytes);
        for (var step = Step(cursor, out var start); step != CursorStep.End; step = Step(cursor, out start))
        {
            if (step == CursorStep.Record)
            {
                if (Record(cursor, file, start) is { } finding)
                    yield return finding;
                if (!cursor.PaddingIsZero)
                    yield return Damaged(InspectedDamageKind.Padding, file.Name, (start, cursor.Offset - start), cursor.Sequence, 0,
                        "The filling behind the record is not zero. The record itself is sound.");
            }
            else if (step == CursorStep.Mark)
            {
                _proven = Math.Max(_proven, cursor.Sequence);
            }
            else if (cursor.Offset >= cursor.Limit && !cursor.Damage.HasHeader)
            {
                tail = (cursor.Damage.Offset, cursor.Damage.Bytes);
            }
            else
            {
                yield return Lost(file, (cursor.Damage.Offset, cursor.Damage.Bytes), cursor.NextSequence, cursor.Damage.HasHeader);
            }
        }
        if (End(file, following, tail) is { } ending)
            yield return ending;
    }

    /// <summary>The next step that is not about the buffer, and where it began.</summary>
    private static CursorStep Step(SegmentCursor cursor, out long start)
    {
        start = cursor.Offset;
        var step = cursor.Next();
        while (step == CursorStep.NeedsFill)
        {
            cursor.Fill();
            step = cursor.Next();
        }
        return step;
    }

    private QueueFinding? Record(SegmentCursor cursor, SegmentFile file, long start)
    {
        if (cursor.Sequence < _next)
            return Damaged(InspectedDamageKind.Repeated, file.Name, (start, cursor.Offset - start), cursor.Sequence, 0,
                $"Sequence {cursor.Sequence} was in the segment before already: files of two histories of this queue were mixed. "
                + "Readers skip it.");
        _next = cursor.Sequence + 1;
        _records++;
        return new QueueFinding(new QueueRecord(cursor.Sequence, cursor.Payload), null);
    }

    private QueueFinding Lost(SegmentFile file, (long, long) range, long nextSequence, bool hasHeader)
    {
        var first = _next;
        var records = Math.Max(0, nextSequence - first);
        _next = Math.Max(_next, nextSequence);
        return hasHeader
            ? Damaged(InspectedDamageKind.Payload, file.Name, range, first, records, "The payload does not match its checksum.")
            : Damaged(InspectedDamageKind.Frames, file.Name, range, first, records,
                records == 0 ? "Bytes that are no frame; by the sequences around them no record is lost." : "Bytes that are no frame.");
    }

    private QueueFinding? End(SegmentFile file, SegmentFile? following, (long Offset, long Bytes)? tail)
    {
        if (following is { IsUnfinished: false } || (following is not null && following.BaseSequence > _next))
            return EndBefore(file, following, tail);
        if (tail is not { } torn)
            return null;
        _tornBytes = torn.Bytes;
        return Damaged(InspectedDamageKind.TornTail, file.Name, torn, _next, 0,
            "No whole record: a write that a crash interrupted before it was acknowledged, or damage to the last group, which "
            + "looks the same. Opening the queue cuts it off.");
    }

    private QueueFinding? EndBefore(SegmentFile file, SegmentFile following, (long Offset, long Bytes)? tail)
    {
        if (tail is { } damage)
            return Lost(file, damage, following.BaseSequence, hasHeader: false);
        var first = _next;
        if (following.BaseSequence <= first)
            return null;
        _next = following.BaseSequence;
        return Damaged(InspectedDamageKind.Missing, file.Name, (file.Length, 0), first, _next - first,
            $"The segment ends at sequence {first}, the next one begins at {_next}: it was cut, a segment between them is gone, "
            + "or sequences were left out.");
    }

    private QueueFinding? HeaderDamage(SegmentFile file)
    {
        (InspectedDamageKind Kind, string Explanation)? damage = file switch
        {
            { Header: null } => (InspectedDamageKind.Header,
                "No copy of the header can be read; the records are checked by the id that other files bear."),
            { Header: { } h } when queueId is { } id && h.QueueId != id =>
                (InspectedDamageKind.Header,
                    $"The segment is of another queue ({h.QueueId}; this one is {id}). Move it to where it belongs."),
            { Header: { } h } when h.BaseSequence != file.BaseSequence =>
                (InspectedDamageKind.Header, $"The file was renamed: its own name is {SegmentFormat.FileName(h.BaseSequence)}."),
            { BothCopies: false } => (InspectedDamageKind.HeaderCopy, "One copy of the header cannot be read; the other one serves."),
            _ => null,
        };
        return damage is { } found
            ? Damaged(found.Kind, file.Name, (0, Math.Min(file.Length, SegmentFormat.HeaderBytes)), file.BaseSequence, 0, found.Explanation)
            : null;
    }

    private QueueFinding Damaged(
        InspectedDamageKind kind, string file, (long Offset, long Bytes) range, long firstSequence, long records, string explanation)
    {
        var damage = new InspectedDamage(kind, file, range.Offset, range.Bytes, firstSequence, records, explanation);
        _damages++;
        _lost += records;
        if (_listed.Count < InspectionSummary.MaxListedDamages)
            _listed.Add(damage);
        return new QueueFinding(null, damage);
    }
}
