using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

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
            file.Dispose();
            StaleFileException.Remove(storage, name);
            throw;
        }
    }
}
