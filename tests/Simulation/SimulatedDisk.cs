using EvenKeel.Queue.Storage;

namespace Simulation;

/// <summary>What becomes of one call to the disk.</summary>
internal enum CallFate
{
    Succeed,
    Fail,
    Crash,
}

/// <summary>A bug planted between the queue and the disk; the simulation must notice each.</summary>
internal enum DiskLie
{
    None,

    /// <summary>fsync of a file does nothing.</summary>
    SkipSync,

    /// <summary>A write reaches the system only after the fsync that should cover it.</summary>
    AcknowledgeBeforeWrite,

    /// <summary>fsync of the directory does nothing.</summary>
    SkipDirectorySync,

    /// <summary>Positions of readers are not synced, so that segments are unlinked before the position that allows it is durable.</summary>
    SkipCheckpointSync,

    /// <summary>Positions of readers are overwritten in place instead of in turns.</summary>
    OneCheckpointSlot,

    /// <summary>Files are never cut: a torn tail stays behind what is appended.</summary>
    SkipTruncate,

    /// <summary>Writing bytes that are there already does nothing: what a failed fsync left in the cache is taken for durable.</summary>
    SkipRewrite,
}

/// <summary>
/// A disk in memory that does its worst: what was not synced is lost in part, torn or out of order at a power loss, any call may fail
/// or be the last of its process. All its choices come from one <see cref="System.Random"/>, so that a seed replays them.
/// </summary>
internal sealed class SimulatedDisk(Random random) : IQueueStorage
{
    public const int Eio = 5;

    private readonly List<(string Name, Inode? Inode)> _unsyncedEntries = [];
    private Dictionary<string, Inode> _entries = [];
    private Dictionary<string, Inode> _durableEntries = [];
    private int? _lockHolder;

    public string Location => "simulated";

    public Random Random => random;

    /// <summary>Number of the process that is running; handles of earlier ones are dead.</summary>
    public int Process { get; private set; } = 1;

    public DiskLie Lie { get; init; }

    /// <summary>Chance of each changing call to fail.</summary>
    public double FailureOdds { get; set; }

    /// <summary>Chance of each read to fail.</summary>
    public double ReadFailureOdds { get; set; }

    /// <summary>Changing calls until the process dies in one; 0 for never.</summary>
    public int CallsUntilCrash { get; set; }

    /// <summary>No block is free: what needs a new one is refused.</summary>
    public bool IsFull { get; set; }

    public long BytesRead { get; set; }

    public long ChangingCalls { get; private set; }

    public IReadOnlyList<StoredFile> List()
    {
        BeforeRead(Process, Location);
        return [.. _entries.Select(e => new StoredFile(e.Key, e.Value.Cached.Length))];
    }

    public IQueueFile Open(string name)
    {
        BeforeRead(Process, name);
        return new SimulatedFile(this, name, Inode(name));
    }

    public IQueueFile Create(string name)
    {
        var fate = Next(Process);
        if (fate == CallFate.Fail)
            throw RandomError(name);
        if (_entries.ContainsKey(name))
            throw new IOException($"The file '{name}' already exists.", 17);
        if (fate == CallFate.Succeed && IsFull)
            throw DiskErrors.OutOfSpace(name);
        if (fate == CallFate.Succeed || random.Next(2) == 0)
            SetEntry(name, new Inode());
        return fate == CallFate.Crash ? throw new SimulatedCrashException() : new SimulatedFile(this, name, _entries[name]);
    }

    public void Delete(string name)
    {
        var fate = Next(Process);
        if (fate == CallFate.Fail)
            throw new IOException($"unlink of '{name}' failed.", Eio);
        if (_entries.ContainsKey(name) && (fate == CallFate.Succeed || random.Next(2) == 0))
            SetEntry(name, null);
        if (fate == CallFate.Crash)
            throw new SimulatedCrashException();
    }

    public void SyncDirectory()
    {
        var fate = Next(Process);
        if (Lie == DiskLie.SkipDirectorySync)
            return;
        if (fate == CallFate.Fail)
            throw new IOException("fsync of the directory failed.", Eio);
        if (fate == CallFate.Succeed || random.Next(2) == 0)
        {
            _durableEntries = new Dictionary<string, Inode>(_entries);
            _unsyncedEntries.Clear();
        }
        if (fate == CallFate.Crash)
            throw new SimulatedCrashException();
    }

    public IDisposable? TryLock(string name)
    {
        if (_lockHolder == Process)
            return null;
        _lockHolder = Process;
        return new ProcessLock(this, Process);
    }

    /// <summary>The process is gone, the system goes on: what it wrote stays readable and may become durable later.</summary>
    public void KillProcess() => Process++;

    /// <summary>The power is gone: what was not synced survives in any part.</summary>
    public void LosePower()
    {
        Process++;
        var mode = random.Next(4);
        var prefix = random.Next(_unsyncedEntries.Count + 1);
        for (var i = 0; i < _unsyncedEntries.Count; i++)
        {
            if (mode == 0 || (mode == 1 && i >= prefix) || (mode == 2 && random.Next(2) == 0))
                continue;
            if (_unsyncedEntries[i] is (var name, { } inode))
                _durableEntries[name] = inode;
            else
                _durableEntries.Remove(_unsyncedEntries[i].Name);
        }
        _unsyncedEntries.Clear();
        foreach (var inode in _durableEntries.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => e.Value))
            inode.LosePower(random);
        _entries = new Dictionary<string, Inode>(_durableEntries);
    }

    /// <summary>The bytes of a file as they are now, to look at or to damage; whatever is done to them is on the platter.</summary>
    public void Damage(string name, Action<FileContent> change)
    {
        var inode = Inode(name);
        change(inode.Cached);
        inode.Durable.CopyFrom(inode.Cached);
        inode.Unsynced.Clear();
    }

    /// <summary>A disk with the same files, all of them durable.</summary>
    public SimulatedDisk Copy()
    {
        var copy = new SimulatedDisk(random);
        foreach (var (name, inode) in _entries)
        {
            var twin = new Inode();
            twin.Cached.CopyFrom(inode.Cached);
            twin.Durable.CopyFrom(inode.Cached);
            copy._entries[name] = copy._durableEntries[name] = twin;
        }
        return copy;
    }

    public void Remove(string name)
    {
        _entries.Remove(name);
        _durableEntries.Remove(name);
    }

    internal CallFate Next(int process)
    {
        if (process != Process)
            throw new SimulatedCrashException();
        ChangingCalls++;
        if (CallsUntilCrash > 0 && --CallsUntilCrash == 0)
            return CallFate.Crash;
        return FailureOdds > 0 && random.NextDouble() < FailureOdds ? CallFate.Fail : CallFate.Succeed;
    }

    internal void BeforeRead(int process, string name)
    {
        if (process != Process)
            throw new SimulatedCrashException();
        if (ReadFailureOdds > 0 && random.NextDouble() < ReadFailureOdds)
            throw new IOException($"read of '{name}' failed.", Eio);
    }

    internal IOException RandomError(string name) =>
        random.Next(2) == 0 ? DiskErrors.OutOfSpace(name) : new IOException($"write to '{name}' failed.", Eio);

    private Inode Inode(string name) => _entries.TryGetValue(name, out var inode) ? inode : throw new FileNotFoundException($"No file '{name}'.");

    private void SetEntry(string name, Inode? inode)
    {
        if (inode is null)
            _entries.Remove(name);
        else
            _entries[name] = inode;
        _unsyncedEntries.Add((name, inode));
    }

    private sealed class ProcessLock(SimulatedDisk disk, int process) : IDisposable
    {
        public void Dispose()
        {
            if (disk._lockHolder == process)
                disk._lockHolder = null;
        }
    }
}
