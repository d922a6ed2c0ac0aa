using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>
/// A segment that could not be finished may still be there. Going on without it would lose records: 1. the next group is smaller and
/// goes into the segment before it; 2. a crash; 3. opening takes the stale one, which is empty, for the end of the log.
/// Its message is not an out-of-space error whatever caused it, so it faults the queue.
/// </summary>
internal sealed class StaleSegmentException(string message, Exception cause) : IOException(message, cause);

/// <summary>Makes a segment so that a crash at any moment leaves either none, one that is plainly unfinished, or a whole one.</summary>
internal static class SegmentCreation
{
    public static IQueueFile Create(IQueueStorage storage, Guid queueId, long baseSequence, DateTimeOffset now)
    {
        var name = SegmentFormat.FileName(baseSequence);
        var file = storage.Create(name);
        try
        {
            Span<byte> header = stackalloc byte[SegmentFormat.HeaderBytes];
            SegmentFormat.WriteHeader(header, queueId, baseSequence, now.ToUnixTimeMilliseconds());
            file.Write(header, 0);
            file.Sync();
            storage.SyncDirectory();
            return file;
        }
        catch
        {
            // It must be gone for good before anything else is written: see StaleSegmentException.
            file.Dispose();
            try
            {
                storage.Delete(name);
                storage.SyncDirectory();
            }
            catch (Exception second) when (second is IOException or UnauthorizedAccessException)
            {
                throw new StaleSegmentException($"An unfinished segment could not be removed: {second.Message}", second);
            }
            throw;
        }
    }
}
