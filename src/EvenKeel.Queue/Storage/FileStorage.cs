using Microsoft.Win32.SafeHandles;

namespace EvenKeel.Queue.Storage;

/// <summary>The real disk: a folder on a local file system.</summary>
internal sealed class FileStorage : IQueueStorage
{
    private readonly string _directory;

    /// <summary>Opens the folder, creating it (durably, with its parents) when <paramref name="create"/> allows.</summary>
    public FileStorage(string directory, bool create)
    {
        _directory = Path.GetFullPath(directory);
        if (Directory.Exists(_directory))
            return;
        if (!create)
            throw new DirectoryNotFoundException($"There is no folder '{_directory}'.");
        CreateDurably(new DirectoryInfo(_directory));
    }

    public string Location => _directory;

    public IReadOnlyList<StoredFile> List() =>
        [.. new DirectoryInfo(_directory).EnumerateFiles().Select(f => new StoredFile(f.Name, f.Length))];

    public IQueueFile Open(string name) => new DiskFile(Resolve(name), FileMode.Open);

    public IQueueFile Create(string name) => new DiskFile(Resolve(name), FileMode.CreateNew);

    public void Delete(string name) => File.Delete(Resolve(name));

    public void SyncDirectory() => NativeDisk.SyncDirectory(_directory);

    public IDisposable? TryLock(string name)
    {
        try
        {
            // FileShare.None is flock(LOCK_EX) on Unix and a share mode on Windows; the system drops it when the process dies.
            return new FileStream(Resolve(name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error)
            when (error is not (FileNotFoundException or DirectoryNotFoundException) && !DiskErrors.IsOutOfSpace(error))
        {
            return null;
        }
    }

    private string Resolve(string name) => Path.Combine(_directory, name);

    private static void CreateDurably(DirectoryInfo directory)
    {
        if (directory.Exists)
            return;
        if (directory.Parent is { } parent)
        {
            CreateDurably(parent);
            directory.Create();
            NativeDisk.SyncDirectory(parent.FullName);
        }
    }

    private sealed class DiskFile : IQueueFile
    {
        private readonly SafeFileHandle _handle;
        private readonly string _path;

        public DiskFile(string path, FileMode mode)
        {
            _path = path;
            // Delete sharing lets a segment be removed on Windows while a reader still holds it.
            _handle = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }

        public long Length => RandomAccess.GetLength(_handle);

        public int Read(Span<byte> destination, long offset) => NativeDisk.Read(_handle, destination, offset);

        public void Write(ReadOnlySpan<byte> source, long offset) => RandomAccess.Write(_handle, source, offset);

        /// <summary>A segment that was deleted or moved away takes writes and syncs like any other, and is gone at the next start: what it
        /// holds is not durable.</summary>
        public void Sync()
        {
            NativeDisk.SyncData(_handle, _path);
            if (_path.EndsWith(SegmentFormat.FileSuffix, StringComparison.Ordinal) && !File.Exists(_path))
                throw new FileNotFoundException($"'{_path}' was deleted or moved while in use.", _path);
        }

        public void SetLength(long length) => RandomAccess.SetLength(_handle, length);

        public void Dispose() => _handle.Dispose();
    }
}
