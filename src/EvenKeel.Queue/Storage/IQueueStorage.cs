namespace EvenKeel.Queue.Storage;

/// <summary>The disk as the queue sees it: one folder of flat files. The real side is <see cref="FileStorage"/>; the simulated side,
/// which drops what was not synced, tears writes and fails calls, lives with the simulation tests.</summary>
internal interface IQueueStorage
{
    /// <summary>Where the files are, for messages.</summary>
    string Location { get; }

    IReadOnlyList<StoredFile> List();

    /// <summary>Opens an existing file for reading and writing.</summary>
    IQueueFile Open(string name);

    /// <summary>Creates a file that must not exist. Its entry is durable only after <see cref="SyncDirectory"/>.</summary>
    IQueueFile Create(string name);

    /// <summary>Removes a file. Durable only after <see cref="SyncDirectory"/>.</summary>
    void Delete(string name);

    void SyncDirectory();

    /// <summary>Takes the lock that keeps a second process out; null when somebody else holds it.</summary>
    IDisposable? TryLock(string name);
}

/// <summary>A file of the queue. Errors are <see cref="IOException"/>.</summary>
internal interface IQueueFile : IDisposable
{
    long Length { get; }

    /// <summary>Reads until the span is full or the file ends; returns the bytes read.</summary>
    int Read(Span<byte> destination, long offset);

    /// <summary>Writes all of <paramref name="source"/> or throws, after which any part of it may be there.</summary>
    void Write(ReadOnlySpan<byte> source, long offset);

    /// <summary>Returns when contents and length would survive a power loss. After a failure the state is unknown: never retry.</summary>
    void Sync();

    void SetLength(long length);
}

internal readonly record struct StoredFile(string Name, long Length);
