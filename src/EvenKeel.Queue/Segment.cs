using System.Diagnostics;

namespace EvenKeel.Queue;

/// <summary>One file of the log: records from <see cref="BaseSequence"/> on, up to the next segment's base.</summary>
internal sealed class Segment(long baseSequence, long length)
{
    public long BaseSequence { get; } = baseSequence;

    public string FileName => SegmentFormat.FileName(BaseSequence);

    /// <summary>Bytes of it that are durable. Grows only while it is the last segment.</summary>
    public long Length { get; internal set; } = length;
}

/// <summary>A stretch of the log that can be read without a lock: the durable bytes of one segment.
/// <see cref="EndSequence"/> is the sequence after its last record; what is missing before it at its end was lost to damage.</summary>
internal readonly record struct ReadableSegment(string FileName, long BaseSequence, long Length, long EndSequence, bool IsLast);

/// <summary>The list of segments, oldest first; the last is the one that is written. Readers ask it what may be read.</summary>
internal sealed class SegmentList
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<Segment> _segments = [];
    private long _endSequence;
    private long _bytes;

    public SegmentList(IEnumerable<Segment> segments, long endSequence)
    {
        _segments.AddRange(segments);
        _endSequence = endSequence;
        _bytes = _segments.Sum(s => s.Length);
    }

    public long Head
    {
        get { lock (_gate) return _segments[0].BaseSequence; }
    }

    public long Bytes => Volatile.Read(ref _bytes);

    public int Count
    {
        get { lock (_gate) return _segments.Count; }
    }

    /// <summary>Starts a new last segment whose header is durable.</summary>
    public void Add(Segment segment)
    {
        lock (_gate)
        {
            Debug.Assert(segment.BaseSequence >= _endSequence, "a segment begins at or after the end of the one before");
            _segments.Add(segment);
            _endSequence = segment.BaseSequence;
            _bytes += segment.Length;
        }
    }

    /// <summary>Says that the last segment is durable up to <paramref name="length"/> bytes and <paramref name="endSequence"/>.</summary>
    public void Publish(long length, long endSequence)
    {
        lock (_gate)
        {
            var last = _segments[^1];
            Debug.Assert(length >= last.Length && endSequence >= _endSequence, "what is durable never shrinks");
            _bytes += length - last.Length;
            last.Length = length;
            _endSequence = endSequence;
        }
    }

    /// <summary>The segment in which <paramref name="sequence"/> lies, or the first one when it is older than all.</summary>
    public ReadableSegment Find(long sequence)
    {
        lock (_gate)
        {
            var index = _segments.Count - 1;
            while (index > 0 && _segments[index].BaseSequence > sequence)
                index--;
            var segment = _segments[index];
            var isLast = index == _segments.Count - 1;
            return new ReadableSegment(
                segment.FileName, segment.BaseSequence, segment.Length, isLast ? _endSequence : _segments[index + 1].BaseSequence, isLast);
        }
    }

    /// <summary>Takes the segments that lie wholly below <paramref name="sequence"/> off the list; the last one stays.</summary>
    public IReadOnlyList<Segment> TakeBelow(long sequence)
    {
        lock (_gate)
        {
            var count = 0;
            while (count + 1 < _segments.Count && _segments[count + 1].BaseSequence <= sequence)
                count++;
            if (count == 0)
                return [];
            var taken = _segments.GetRange(0, count);
            _segments.RemoveRange(0, count);
            _bytes -= taken.Sum(s => s.Length);
            return taken;
        }
    }
}
