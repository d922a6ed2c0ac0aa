using System.Text;
using EvenKeel.Queue.Storage;
using Xunit;

namespace EvenKeel.Queue.Tests;

/// <summary>A folder of its own with a real queue in it; both are gone after the test.</summary>
internal sealed class TestQueue : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("evenkeel-queue-");

    public TestQueue() => Options = new DurableQueueOptions { Directory = Path.Combine(_root.FullName, "queue") };

    public DurableQueueOptions Options { get; set; }

    public string Folder => Options.Directory;

    public string Root => _root.FullName;

    public IReadOnlyList<string> Segments => [.. Directory.GetFiles(Folder, "*.segment").Order(StringComparer.Ordinal)];

    public DurableQueue Open() => DurableQueue.Open(Options);

    /// <summary>Segments of 4 KiB that each hold some forty records, so that a few hundred make several.</summary>
    public TestQueue WithSmallSegments()
    {
        Options = Options with { SegmentBytes = 4096 };
        return this;
    }

    /// <summary>Writes records named by their number in a clean session; each is a group of its own, so that layout does not depend on
    /// speed.</summary>
    public async Task<TestQueue> Fill(int records, Action<DurableQueue>? last = null)
    {
        using var queue = Open();
        for (var i = 0; i < records; i++)
            await queue.AppendAsync(Payload(i));
        last?.Invoke(queue);
        return this;
    }

    public static byte[] Payload(long number) => Encoding.ASCII.GetBytes($"record {number}, and something to make it longer");

    /// <summary>Reads everything that a new reader gets: texts, and damage.</summary>
    public static (List<string> Texts, List<QueueDamage> Damage) ReadAll(DurableQueue queue, string name = "all")
    {
        using var reader = queue.OpenReader(name);
        var (texts, damage) = (new List<string>(), new List<QueueDamage>());
        while (reader.TryRead(100, 1 << 20) is { } batch)
        {
            texts.AddRange(batch.Records.Select(r => Encoding.ASCII.GetString(r.Payload.Span)));
            damage.AddRange(batch.Damage);
        }
        return (texts, damage);
    }

    public static void Flip(string file, long offset, byte mask = 1)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = offset;
        var value = stream.ReadByte();
        stream.Position = offset;
        stream.WriteByte((byte)(value ^ mask));
    }

    public static void Overwrite(string file, long offset, byte[] bytes)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = offset;
        stream.Write(bytes);
    }

    public static void Append(string file, byte[] bytes) => Overwrite(file, new FileInfo(file).Length, bytes);

    public static void Cut(string file, long length)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.SetLength(length);
    }

    /// <summary>Where the frame of a record begins, by the text of its payload.</summary>
    public static long FrameOf(string file, long number)
    {
        var at = File.ReadAllBytes(file).AsSpan().IndexOf(Payload(number));
        Assert.True(at > 0, $"record {number} is not in {file}");
        return at - SegmentFormat.FrameHeaderBytes;
    }

    /// <summary>Names and bytes of all files below the root, to compare before and after.</summary>
    public SortedDictionary<string, string> Snapshot() => new(
        Directory.GetFiles(Folder).ToDictionary(f => Path.GetFileName(f), f => Convert.ToHexString(File.ReadAllBytes(f))),
        StringComparer.Ordinal);

    /// <summary>An empty queue of a fixed id and time, as recovery would find it after a crash right behind its creation.</summary>
    public void CreateFixed(Guid id, DateTimeOffset now) =>
        SegmentCreation.Create(new FileStorage(Folder, create: true), id, 0, now).Dispose();

    public void Dispose() => _root.Delete(recursive: true);
}
