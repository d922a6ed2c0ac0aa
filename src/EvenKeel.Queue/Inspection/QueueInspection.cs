using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue.Inspection;

/// <summary>
/// A queue looked at offline: nothing on disk is changed, and while it is open no process can open the queue. It reads what recovery
/// and readers would leave out as well, and says what is not sound and what that costs.
/// </summary>
public sealed class QueueInspection : IDisposable
{
    private readonly OfflineFolder _folder;
    private readonly List<SegmentFile> _files;

    private QueueInspection(OfflineFolder folder, Guid? queueId)
    {
        _folder = folder;
        var stored = folder.List();
        _files = [.. Recovery.ListSegments(folder).Select(ReadHeader)];
        var checkpoints = ReaderCheckpoint.LoadAll(folder);
        if (_files.Count == 0 && checkpoints.Count == 0)
            throw NoQueue(stored);
        Id = queueId ?? _files.LastOrDefault(f => f.Header is not null)?.Header?.QueueId
            ?? checkpoints.FirstOrDefault(c => c.QueueId != Guid.Empty)?.QueueId;
        Readers = [.. checkpoints.OrderBy(c => c.Name, StringComparer.Ordinal)
            .Select(c => new InspectedReader(c.Name, c.QueueId == Id && c.QueueId != Guid.Empty ? c.Position : null))];
        OtherFiles = [.. stored.Select(f => f.Name).Order(StringComparer.Ordinal).Where(n => n != "queue.lock" && !IsOfQueue(n))];
    }

    /// <summary>The folder.</summary>
    public string Location => _folder.Location;

    /// <summary>The queue's id. Null when neither a segment's header nor a reader's position can be read: then nothing can be verified,
    /// every byte counts as damaged, and the id must be given to <see cref="Open"/> by whoever has it.</summary>
    public Guid? Id { get; }

    /// <summary>The named readers.</summary>
    public IReadOnlyList<InspectedReader> Readers { get; }

    /// <summary>Files in the folder that are not the queue's. It never touches them.</summary>
    public IReadOnlyList<string> OtherFiles { get; }

    /// <summary>Opens the queue of a folder for looking at it.</summary>
    /// <param name="directory">The queue's folder.</param>
    /// <param name="queueId">The queue's id where no file tells it any more; null: as the files say.</param>
    /// <exception cref="QueueOpenException">There is no queue, it is in use, of a later format, or cannot be read.</exception>
    public static QueueInspection Open(string directory, Guid? queueId = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        var folder = OfflineFolder.At(directory);
        try
        {
            return new QueueInspection(folder, queueId);
        }
        catch (Exception error)
        {
            folder.Dispose();
            if (error is IOException or UnauthorizedAccessException)
                throw OfflineFolder.Unreadable(folder.Location, error);
            throw;
        }
    }

    /// <summary>Reads the whole queue, front to back, in constant memory: each sound record and each damage.</summary>
    /// <exception cref="QueueOpenException">The disk cannot be read, or a process opened the queue meanwhile.</exception>
    public IEnumerable<QueueFinding> Read() => Findings(NewWalk());

    /// <summary>Reads the whole queue and sums up; <paramref name="onDamage"/> is told of each damage as it is met.</summary>
    /// <exception cref="QueueOpenException">The disk cannot be read, or a process opened the queue meanwhile.</exception>
    public InspectionSummary Summarize(Action<InspectedDamage>? onDamage = null)
    {
        var walk = NewWalk();
        foreach (var finding in Findings(walk))
        {
            if (finding.Damage is { } damage)
                onDamage?.Invoke(damage);
        }
        return walk.Summarize();
    }

    /// <summary>Gives the queue free.</summary>
    public void Dispose() => _folder.Dispose();

    internal LogWalk NewWalk() => new(_folder, Id, _files, Readers);

    /// <summary>The findings of one walk, with disk errors made plain.</summary>
    internal IEnumerable<QueueFinding> Findings(LogWalk walk)
    {
        using var findings = walk.Run().GetEnumerator();
        while (MoveNext(findings))
            yield return findings.Current;
    }

    private bool MoveNext(IEnumerator<QueueFinding> findings)
    {
        try
        {
            if (findings.MoveNext())
                return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw OfflineFolder.Unreadable(Location, error);
        }
        _folder.EnsureUnused();
        return false;
    }

    private SegmentFile ReadHeader(Segment segment)
    {
        using var file = _folder.Open(segment.FileName);
        Span<byte> bytes = stackalloc byte[SegmentFormat.HeaderBytes];
        var read = bytes[..file.Read(bytes, 0)];
        var header = SegmentFormat.ReadHeader(read);
        if (header is { Version: > SegmentFormat.Version } newer)
            throw new QueueOpenException(QueueOpenFailure.NewerFormat,
                $"'{segment.FileName}' in '{Location}' has format version {newer.Version}; this program knows up to "
                + $"{SegmentFormat.Version}. Use the version that wrote it, or a newer one.");
        var both = read.Length == SegmentFormat.HeaderBytes && SegmentFormat.ReadHeader(read[SegmentFormat.HeaderCopyBytes..]) is not null
            && SegmentFormat.ReadHeader(read[..SegmentFormat.HeaderCopyBytes]) is not null;
        return new SegmentFile(segment.FileName, segment.BaseSequence, segment.Length, header, both);
    }

    private QueueOpenException NoQueue(IReadOnlyList<StoredFile> stored)
    {
        var names = string.Join(", ", stored.Take(3).Select(f => f.Name)) + (stored.Count > 3 ? ", …" : "");
        var there = stored.Count == 0 ? "it is empty"
            : $"none of its {stored.Count} files ({names}) is named like {SegmentFormat.FileName(0)}";
        return new QueueOpenException(QueueOpenFailure.NotFound,
            $"There is no queue in '{Location}': {there}. Name the folder that holds the segments.");
    }

    private static bool IsOfQueue(string name) =>
        SegmentFormat.TryParseFileName(name, out _) || name.EndsWith(ReaderCheckpoint.FileSuffix, StringComparison.Ordinal);
}
