using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>
/// A file that could not be finished may still be there, or come back after a power loss. Going on beside it would lose records:
/// 1. a segment's making fails; 2. the next group is smaller and goes into the segment before it; 3. a crash; 4. opening takes the stale
/// one, which is empty, for the end of the log. Likewise a stale reader would turn up later at a position that was removed long ago.
/// It is no out-of-space error, whatever caused it: it faults the queue.
/// </summary>
internal sealed class StaleFileException(string message, Exception cause) : IOException(message, cause)
{
    /// <summary>Removes an unfinished file for good.</summary>
    /// <exception cref="StaleFileException">It may still be there.</exception>
    public static void Remove(IQueueStorage storage, string name)
    {
        try
        {
            storage.Delete(name);
            storage.SyncDirectory();
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new StaleFileException($"The unfinished file '{name}' could not be removed: {cause.Message}", cause);
        }
    }
}
