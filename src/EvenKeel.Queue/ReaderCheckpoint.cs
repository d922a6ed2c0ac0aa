using System.Buffers.Binary;
using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>
/// The durable position of one named reader: a file of two slots that are written in turn, each with a generation and a checksum,
/// so that a crash in the middle of writing one leaves the other.
/// </summary>
internal sealed class ReaderCheckpoint : IDisposable
{
    public const string FileSuffix = ".reader";

    // Slots lie in different disk blocks: a torn block harms one of them.
    private const int Slots = 2;
    private const int SlotStride = 4096;
    private const int SlotBytes = 56;
    private const ulong Magic = 0x44455252_514B45; // "EKQRRED" in file order.

    private readonly IQueueStorage _storage;
    private IQueueFile? _file;
    private long _generation;

    private ReaderCheckpoint(IQueueStorage storage, string name)
    {
        _storage = storage;
        Name = name;
    }

    public string Name { get; }

    /// <summary>The queue it belongs to; empty when no slot could be read, or none was written yet.</summary>
    public Guid QueueId { get; private set; }

    /// <summary>The sequence after the last one acknowledged, as it is on disk.</summary>
    public long Position { get; private set; }

    /// <summary>False for one that could not be read at opening and has not been written since.</summary>
    public bool IsOnDisk { get; private set; }

    public static IReadOnlyList<ReaderCheckpoint> LoadAll(IQueueStorage storage) =>
        [.. storage.List()
            .Where(f => f.Name.EndsWith(FileSuffix, StringComparison.Ordinal))
            .Select(f => Load(storage, f.Name[..^FileSuffix.Length]))];

    public static ReaderCheckpoint Create(IQueueStorage storage, string name, Guid queueId, long position)
    {
        var checkpoint = new ReaderCheckpoint(storage, name) { _file = storage.Create(name + FileSuffix) };
        try
        {
            checkpoint.Begin(queueId, position);
            storage.SyncDirectory();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            StaleFileException.Remove(storage, name + FileSuffix); // Nobody will be told of this reader, so it must not hold records back.
            throw;
        }
    }

    /// <summary>Writes one slot, and zeros into the other so that it has its block: on a full disk a reader must be able to say that
    /// records can go.</summary>
    public void Begin(Guid queueId, long position)
    {
        Write(queueId, position);
        Span<byte> empty = stackalloc byte[SlotBytes];
        empty.Clear();
        _file!.Write(empty, _generation % Slots * SlotStride);
        Sync(queueId, position);
    }

    /// <summary>Makes sure that the position just loaded is on the disk: 1. a save whose fsync failed, or never came because the process
    /// was
    /// killed, left its bytes in the system's memory; 2. opening reads them and segments are removed by them; 3. after a power loss the
    /// position before would be back, and point at what is gone. The same slot with the same bytes: a torn write harms nothing that
    /// counts.</summary>
    /// <remarks>One that cannot be read, or is of another queue, holds what is there from <paramref name="head"/> on, but only in
    /// memory.</remarks>
    public void Confirm(Guid queueId, long head)
    {
        if (QueueId != queueId)
        {
            (QueueId, Position) = (queueId, head);
            return;
        }
        _generation--;
        Write(QueueId, Position);
        Sync(QueueId, Position);
    }

    /// <summary>Writes the position into the older slot. It counts only after <see cref="Sync"/>; until then, and on an exception, the one
    /// before it holds, and another may be written in its place.</summary>
    public void Write(Guid queueId, long position)
    {
        _file ??= _storage.Open(Name + FileSuffix);
        Span<byte> slot = stackalloc byte[SlotBytes];
        slot.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(slot, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(slot[8..], SegmentFormat.Version);
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], _generation + 1);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], position);
        queueId.TryWriteBytes(slot[32..]);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[48..], Crc32C.Append(Crc32C.Seed, slot[..48]));
        _file.Write(slot, (_generation + 1) % Slots * SlotStride);
    }

    /// <summary>Makes the position just written durable. After an exception nobody knows which one is: never retry.</summary>
    public void Sync(Guid queueId, long position)
    {
        _file!.Sync();
        IsOnDisk = true;
        _generation++;
        QueueId = queueId;
        Position = position;
    }

    public void Dispose() => _file?.Dispose();

    private static ReaderCheckpoint Load(IQueueStorage storage, string name)
    {
        var checkpoint = new ReaderCheckpoint(storage, name);
        using var file = storage.Open(name + FileSuffix);
        Span<byte> slot = stackalloc byte[SlotBytes];
        for (var i = 0; i < Slots; i++)
        {
            if (file.Read(slot, i * SlotStride) != SlotBytes
                || BinaryPrimitives.ReadUInt64LittleEndian(slot) != Magic
                || BinaryPrimitives.ReadUInt32LittleEndian(slot[48..]) != Crc32C.Append(Crc32C.Seed, slot[..48])
                || BinaryPrimitives.ReadInt64LittleEndian(slot[16..]) <= checkpoint._generation)
                continue;
            if (BinaryPrimitives.ReadInt32LittleEndian(slot[8..]) is var version && version > SegmentFormat.Version)
                throw new QueueOpenException(QueueOpenFailure.NewerFormat,
                    $"'{name}{FileSuffix}' in '{storage.Location}' has format version {version}; "
                    + $"this program knows up to {SegmentFormat.Version}. "
                    + "Use the version that wrote it, or a newer one.");
            checkpoint._generation = BinaryPrimitives.ReadInt64LittleEndian(slot[16..]);
            checkpoint.Position = BinaryPrimitives.ReadInt64LittleEndian(slot[24..]);
            checkpoint.QueueId = new Guid(slot.Slice(32, 16));
        }
        return checkpoint;
    }
}
