using EvenKeel.Queue.Storage;

namespace Simulation;

/// <summary>The process died in the middle of a disk call; everything it held in memory is gone.</summary>
internal sealed class SimulatedCrashException() : Exception("The simulated process died in this call.");

/// <summary>Bytes with a length, as a file has them: writing beyond the end fills the gap with zeros.</summary>
internal sealed class FileContent
{
    private byte[] _bytes = [];

    public int Length { get; private set; }

    public Span<byte> Bytes => _bytes.AsSpan(0, Length);

    public int Read(Span<byte> destination, long offset)
    {
        var count = (int)Math.Clamp(Length - offset, 0, destination.Length);
        _bytes.AsSpan((int)Math.Min(offset, Length), count).CopyTo(destination);
        return count;
    }

    public void Write(ReadOnlySpan<byte> source, long offset)
    {
        if (source.Length == 0)
            return;
        if (offset + source.Length > Length)
            SetLength(offset + source.Length);
        source.CopyTo(_bytes.AsSpan((int)offset));
    }

    public void SetLength(long length)
    {
        if (length > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Max(length, 2L * _bytes.Length));
        if (length < Length)
            _bytes.AsSpan((int)length, Length - (int)length).Clear();
        Length = (int)length;
    }

    public void CopyFrom(FileContent other)
    {
        SetLength(0);
        Write(other.Bytes, 0);
    }
}

/// <summary>A write (with bytes) or a change of length (without) that is not durable yet.</summary>
internal readonly record struct FileChange(long Offset, byte[]? Written);

/// <summary>A file whatever its name: what a reader sees now, what the platter holds, and the changes in between.</summary>
internal sealed class Inode
{
    public const int BlockBytes = 4096;

    public FileContent Cached { get; } = new();

    public FileContent Durable { get; } = new();

    public List<FileChange> Unsynced { get; } = [];

    /// <summary>Writes that the process has acknowledged but still holds in memory (a planted bug).</summary>
    public List<FileChange> Held { get; } = [];

    /// <summary>Blocks that the file owns: a full disk refuses others.</summary>
    public HashSet<long> Blocks { get; } = [];

    public void Write(ReadOnlySpan<byte> source, long offset, bool held)
    {
        if (source.Length == 0)
            return;
        Cached.Write(source, offset);
        (held ? Held : Unsynced).Add(new FileChange(offset, source.ToArray()));
        for (var block = offset / BlockBytes; block <= (offset + source.Length - 1) / BlockBytes; block++)
            Blocks.Add(block);
    }

    public void SetLength(long length)
    {
        Cached.SetLength(length);
        Unsynced.Add(new FileChange(length, null));
        Blocks.RemoveWhere(b => b * BlockBytes >= length);
    }

    public void Sync()
    {
        foreach (var change in Unsynced)
            Apply(change);
        Unsynced.Clear();
        Unsynced.AddRange(Held);
        Held.Clear();
    }

    /// <summary>A failed fsync: some pages reached the platter, the others count as clean from now on and stay readable until the
    /// crash.</summary>
    public void FailSync(Random random)
    {
        PersistSome(random);
        Unsynced.Clear();
    }

    public void LosePower(Random random)
    {
        PersistSome(random);
        Unsynced.Clear();
        Held.Clear();
        Cached.CopyFrom(Durable);
        Blocks.Clear();
        for (var block = 0L; block * BlockBytes < Durable.Length; block++)
            Blocks.Add(block);
    }

    private void PersistSome(Random random)
    {
        var mode = random.Next(4);
        var prefix = random.Next(Unsynced.Count + 1);
        for (var i = 0; i < Unsynced.Count; i++)
        {
            var change = Unsynced[i];
            if (mode == 0 || (mode == 1 && i > prefix) || (mode == 2 && random.Next(2) == 0))
                continue;
            if (change.Written is { } bytes && mode is 1 or 2 && (i == prefix || random.Next(2) == 0))
                Tear(bytes, change.Offset, random);
            else
                Apply(change);
        }
    }

    private void Apply(FileChange change)
    {
        if (change.Written is { } bytes)
            Durable.Write(bytes, change.Offset);
        else
            Durable.SetLength(change.Offset);
    }

    /// <summary>Part of a write reaches the platter: its front, its back, all but a hole, or only the length (zeros or garbage in the
    /// blocks).</summary>
    private void Tear(byte[] bytes, long offset, Random random)
    {
        var cut = random.Next(bytes.Length + 1);
        switch (random.Next(5))
        {
            case 0 or 1:
                Durable.Write(bytes.AsSpan(0, cut), offset);
                break;
            case 2:
                Durable.Write(bytes.AsSpan(cut), offset + cut);
                break;
            case 3:
                var end = random.Next(cut, bytes.Length + 1);
                Durable.Write(bytes.AsSpan(0, cut), offset);
                Durable.Write(bytes.AsSpan(end), offset + end);
                break;
            default:
                var fresh = offset + bytes.Length - Durable.Length;
                if (fresh <= 0)
                    break;
                var from = Durable.Length;
                Durable.SetLength(offset + bytes.Length);
                if (random.Next(2) == 0)
                    random.NextBytes(Durable.Bytes[from..]);
                break;
        }
    }
}

/// <summary>One open handle; it dies with the process that opened it.</summary>
internal sealed class SimulatedFile(SimulatedDisk disk, string name, Inode inode) : IQueueFile
{
    private readonly int _process = disk.Process;
    private bool _closed;

    public long Length => inode.Cached.Length;

    public int Read(Span<byte> destination, long offset)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        disk.BeforeRead(_process, name);
        var read = inode.Cached.Read(destination, offset);
        disk.BytesRead += read;
        return disk.Lie == DiskLie.OneCheckpointSlot && IsCheckpoint && offset > 0 ? 0 : read;
    }

    public void Write(ReadOnlySpan<byte> source, long offset)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        var fate = disk.Next(_process);
        if (disk.Lie == DiskLie.OneCheckpointSlot && IsCheckpoint)
            offset = 0;
        if (disk.Lie == DiskLie.SkipRewrite && IsThere(source, offset))
            return;
        var held = disk.Lie == DiskLie.AcknowledgeBeforeWrite;
        var error = fate == CallFate.Succeed && disk.IsFull && NeedsBlock(source.Length, offset) ? DiskErrors.OutOfSpace(name) : null;
        if (fate == CallFate.Succeed && error is null)
        {
            inode.Write(source, offset, held);
            return;
        }
        inode.Write(source[..disk.Random.Next(source.Length + 1)], offset, held);
        throw fate == CallFate.Crash ? new SimulatedCrashException() : error ?? disk.RandomError(name);
    }

    public void Sync()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        var fate = disk.Next(_process);
        if (disk.Lie == DiskLie.SkipSync || (disk.Lie == DiskLie.SkipCheckpointSync && IsCheckpoint))
            return;
        if (fate == CallFate.Fail)
        {
            inode.FailSync(disk.Random);
            throw new IOException($"fsync of '{name}' failed.", SimulatedDisk.Eio);
        }
        if (fate == CallFate.Succeed || disk.Random.Next(2) == 0)
            inode.Sync();
        if (fate == CallFate.Crash)
            throw new SimulatedCrashException();
    }

    public void SetLength(long length)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        var fate = disk.Next(_process);
        if (fate != CallFate.Fail && disk.Lie != DiskLie.SkipTruncate)
            inode.SetLength(length);
        if (fate != CallFate.Succeed)
            throw fate == CallFate.Crash ? new SimulatedCrashException() : disk.RandomError(name);
    }

    public void Dispose() => _closed = true;

    private bool IsCheckpoint => name.EndsWith(".reader", StringComparison.Ordinal);

    private bool IsThere(ReadOnlySpan<byte> source, long offset) =>
        offset + source.Length <= inode.Cached.Length && inode.Cached.Bytes.Slice((int)offset, source.Length).SequenceEqual(source);

    private bool NeedsBlock(int bytes, long offset)
    {
        for (var block = offset / Inode.BlockBytes; block <= (offset + bytes - 1) / Inode.BlockBytes; block++)
        {
            if (!inode.Blocks.Contains(block))
                return true;
        }
        return false;
    }
}
