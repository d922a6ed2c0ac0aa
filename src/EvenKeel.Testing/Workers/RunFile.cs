namespace EvenKeel.Testing.Workers;

/// <summary>
/// The run file shows that a run lives: it is leased as long as its process is there. Afterwards it tells what the run left behind, until
/// a later run has swept that.
/// </summary>
internal sealed class RunFile : IDisposable
{
    private const string NamePrefix = "run-";
    private const string NameEnd = ".lock";
    private readonly LeaseFile _lease;

    private RunFile(RunId run, LeaseFile lease)
    {
        Run = run;
        _lease = lease;
    }

    public RunId Run { get; }

    public static RunFile Create(LeaseFolder folder, RunId run)
    {
        var lease = folder.TryTake($"{NamePrefix}{run}{NameEnd}")
            ?? throw new InvalidOperationException($"The run id {run} is in use by another process.");
        return new RunFile(run, lease);
    }

    /// <summary>Whether the run's process lives on this machine.</summary>
    public static RunState StateOf(LeaseFolder folder, RunId run)
    {
        var path = folder.Of($"{NamePrefix}{run}{NameEnd}");
        if (!File.Exists(path))
            return RunState.Unknown;
        try
        {
            using var lease = LeaseFile.TryTake(path, FileMode.Open);
            return lease is null ? RunState.Alive : RunState.Dead;
        }
        catch (FileNotFoundException)
        {
            return RunState.Unknown; // Swept by another process since it was looked for.
        }
    }

    /// <summary>The runs whose process is gone and whose leavings nobody swept; each is ours to sweep until disposed of.</summary>
    public static IEnumerable<RunFile> TakeDead(LeaseFolder folder)
    {
        foreach (var path in Directory.EnumerateFiles(folder.Path, $"{NamePrefix}*{NameEnd}"))
        {
            LeaseFile? lease;
            try
            {
                lease = LeaseFile.TryTake(path, FileMode.Open);
            }
            catch (FileNotFoundException)
            {
                continue; // Swept by another process since it was listed.
            }
            if (lease is not null)
                yield return new RunFile(new RunId(Path.GetFileName(path)[NamePrefix.Length..^NameEnd.Length]), lease);
        }
    }

    /// <summary>Notes something outside this machine that has to be swept if this process dies.</summary>
    public void Note(string leaving)
    {
        if (!_lease.ReadLines().Contains(leaving))
            _lease.AppendLine(leaving);
    }

    /// <summary>The place is swept; a run that left nothing anywhere else is forgotten.</summary>
    public void Settle(string place)
    {
        var left = _lease.ReadLines().Where(line => line != place).ToList();
        if (left.Count == 0)
            Clear();
        else
            _lease.Rewrite(left);
    }

    /// <summary>Nothing is left of the run.</summary>
    public void Clear() => _lease.DisposeWithFile();

    public void Dispose() => _lease.Dispose();
}

/// <summary>What is known of a run on this machine.</summary>
internal enum RunState
{
    /// <summary>It is not of this machine, or was swept.</summary>
    Unknown,
    Alive,
    Dead,
}
