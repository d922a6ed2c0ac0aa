using EvenKeel.Queue.Storage;
using Microsoft.Win32.SafeHandles;

namespace EvenKeel.Queue.Inspection;

/// <summary>
/// A queue's folder that is looked at and never changed: files are opened for reading alone, so that it works on a read-only disk, and
/// whatever would write is a bug. While it is open it holds the queue's lock, so that no process starts to write meanwhile.
/// </summary>
internal sealed class OfflineFolder : IQueueStorage, IDisposable
{
    private const string LockFile = "queue.lock";

    private readonly IDisposable? _lock;

    private OfflineFolder(string location)
    {
        Location = location;
        _lock = TryLock(LockFile);
    }

    public string Location { get; }

    /// <summary>Opens the folder. A lock file that is not there is not made: whoever has the queue open has made one, so nobody
    /// has.</summary>
    public static OfflineFolder At(string directory)
    {
        var location = Path.GetFullPath(directory);
        if (File.Exists(location))
            throw new QueueOpenException(QueueOpenFailure.NotFound, $"'{location}' is a file, not a folder with a queue. Name the folder.");
        if (!Directory.Exists(location))
            throw new QueueOpenException(QueueOpenFailure.NotFound, $"There is no folder '{location}'. Check the path.");
        try
        {
            return new OfflineFolder(location);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(location, error);
        }
    }

    public static QueueOpenException Unreadable(string location, Exception error) => new(QueueOpenFailure.Unusable,
        $"The queue in '{location}' cannot be read: {error.Message} Check the permissions; if the disk fails, copy the folder off it "
        + "first.", error);

    public IReadOnlyList<StoredFile> List() =>
        [.. new DirectoryInfo(Location).EnumerateFiles().Select(f => new StoredFile(f.Name, f.Length))];

    public IQueueFile Open(string name) => new OfflineFile(Path.Combine(Location, name));

    public IQueueFile Create(string name) => throw Offline($"creating '{name}'");

    public void Delete(string name) => throw Offline($"deleting '{name}'");

    public void SyncDirectory() => throw Offline("syncing the folder");

    /// <summary>Takes the lock of a queue that was open once; null when there is no lock file.</summary>
    public IDisposable? TryLock(string name)
    {
        try
        {
            // The same exclusive lock that the queue takes, on a file opened for reading.
            return new FileStream(Path.Combine(Location, name), FileMode.Open, FileAccess.Read, FileShare.None);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (IOException error)
        {
            throw InUse("is open elsewhere", error);
        }
    }

    /// <summary>Without a lock file nothing kept a process from opening the queue meanwhile; what was read is then worth nothing.</summary>
    public void EnsureUnused()
    {
        if (_lock is null && File.Exists(Path.Combine(Location, LockFile)))
            throw InUse("was opened while it was read", null);
    }

    public void Dispose() => _lock?.Dispose();

    private QueueOpenException InUse(string how, Exception? error) => new(QueueOpenFailure.InUse,
        $"The queue in '{Location}' {how}. Stop the process that uses it, or look at a copy of the folder.", error);

    private static InvalidOperationException Offline(string what) => new($"Offline inspection changes nothing, but {what} was asked for.");

    private sealed class OfflineFile(string path) : IQueueFile
    {
        private readonly SafeFileHandle _handle =
            File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

        public long Length => RandomAccess.GetLength(_handle);

        public int Read(Span<byte> destination, long offset) => NativeDisk.Read(_handle, destination, offset);

        public void Write(ReadOnlySpan<byte> source, long offset) => throw Offline($"writing '{path}'");

        public void Sync() => throw Offline($"syncing '{path}'");

        public void SetLength(long length) => throw Offline($"cutting '{path}'");

        public void Dispose() => _handle.Dispose();
    }
}
