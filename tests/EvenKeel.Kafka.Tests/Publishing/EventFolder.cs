using EvenKeel.Kafka.Publishing;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>A folder for one test's repository, and the copies of it that a kill would leave.</summary>
internal sealed class EventFolder : IDisposable
{
    private readonly List<string> _paths = [];

    public EventFolder() => Path = New();

    public string Path { get; }

    public DiskEventOptions Options => new() { Directory = Path };

    public DiskEventRepository Open(TimeProvider? time = null) => DiskEventRepository.Open(Options, time);

    /// <summary>What kill -9 leaves now: the files as they are, without the process that holds them open.</summary>
    public string Copy()
    {
        var copy = New();
        foreach (var file in Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories))
        {
            if (file.EndsWith(".lock", StringComparison.Ordinal))
                continue; // Empty; the lock on it dies with its process.
            var target = System.IO.Path.Combine(copy, System.IO.Path.GetRelativePath(Path, file));
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var to = new FileStream(target, FileMode.CreateNew);
            from.CopyTo(to);
        }
        return copy;
    }

    /// <summary>Opens what a kill at this moment leaves.</summary>
    public DiskEventRepository OpenAfterKill() => DiskEventRepository.Open(Options with { Directory = Copy() });

    public void Dispose()
    {
        foreach (var path in _paths)
            Directory.Delete(path, recursive: true);
    }

    private string New()
    {
        _paths.Add(Directory.CreateTempSubdirectory("evenkeel-events-").FullName);
        return _paths[^1];
    }
}

/// <summary>A clock that the test moves; its timers are the system's.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _ticks = TimeSpan.TicksPerDay;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
}
