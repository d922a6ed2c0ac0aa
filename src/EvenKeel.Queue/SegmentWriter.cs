using System.Diagnostics;
using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>Why something could not be written, in words that go before "failed". After a full disk the writer goes on where it was;
/// after anything else what the disk holds is uncertain.</summary>
internal sealed record WriteFailure(string What, Exception Cause, bool IsDiskFull);

/// <summary>The end of the log on disk: the last segment's file, to which frames are appended durably, and the way to the next one.
/// Its user holds one lock around every call.</summary>
internal sealed class SegmentWriter(IQueueStorage storage, RecoveredLog log, TimeProvider time)
{
    private readonly Guid _queueId = log.QueueId;
    private IQueueFile _file = log.LastFile;

    /// <summary>Bytes of the segment that are durable; the next frame goes there.</summary>
    public long Length { get; private set; } = log.LastLength;

    public long BaseSequence { get; private set; } = log.LastBaseSequence;

    public uint Salt { get; private set; } = SegmentFormat.Salt(log.QueueId, log.LastBaseSequence);

    public CommitClock Clock { get; } = new();

    /// <summary>Appends the frames of so many records with one write and one fsync. Null when they are durable.</summary>
    public WriteFailure? Append(ReadOnlySpan<byte> frames, long firstSequence, int records)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            _file.Write(frames, Length);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return TakeBack(error);
        }
        var written = Stopwatch.GetTimestamp();
        try
        {
            _file.Sync();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The kernel may have dropped the dirty pages and called them clean: a second fsync would lie.
            return new WriteFailure("fsync of a segment", error, false);
        }
        Length += frames.Length;
        Clock.Add(frames.Length, written - started, Stopwatch.GetTimestamp() - written, firstSequence, records);
        return null;
    }

    /// <summary>Starts a new segment: its header, then its directory entry are durable before a record goes into it.</summary>
    public WriteFailure? Roll(long baseSequence)
    {
        IQueueFile next;
        try
        {
            next = SegmentCreation.Create(storage, _queueId, baseSequence, time.GetUtcNow());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new WriteFailure("starting a new segment", error, error is IOException full && DiskErrors.IsOutOfSpace(full));
        }
        _file.Dispose();
        _file = next;
        Length = SegmentFormat.HeaderBytes;
        BaseSequence = baseSequence;
        Salt = SegmentFormat.Salt(_queueId, baseSequence);
        return null;
    }

    public void Close() => _file.Dispose();

    /// <summary>After a failed write: removes what part of it is there.</summary>
    private WriteFailure TakeBack(Exception error)
    {
        try
        {
            // Durable before anything else: once the next segment has begun, opening no longer looks for a torn tail here.
            _file.SetLength(Length);
            _file.Sync();
        }
        catch (Exception second) when (second is IOException or UnauthorizedAccessException)
        {
            return new WriteFailure("taking back a failed write to a segment", second, false);
        }
        return new WriteFailure("writing to a segment", error, error is IOException full && DiskErrors.IsOutOfSpace(full));
    }
}
