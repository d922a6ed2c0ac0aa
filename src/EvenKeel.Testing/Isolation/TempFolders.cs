using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// The temporary folders of a run: one for each test that asks, gone with the test unless it failed; a failed test's stays for a week under
/// a name that says so.
/// </summary>
internal sealed class TempFolders
{
    private const string FailedEnd = "-failed";
    private const int MaxNameLength = 60;
    private static readonly TimeSpan KeepFailed = TimeSpan.FromDays(7);

    private readonly LeaseFolder _folder;
    private readonly string _root;
    private readonly TimeProvider _time;
    private int _last;

    public TempFolders(LeaseFolder folder, RunId run, TimeProvider time)
    {
        _folder = folder;
        _root = RootOf(folder, run);
        _time = time;
    }

    /// <summary>Makes one.</summary>
    /// <param name="purpose">The test's name; what no file may be called is left out.</param>
    public string Create(string purpose)
    {
        var letters = purpose.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-').ToArray();
        var name = new string(letters[Math.Max(0, letters.Length - MaxNameLength)..]);
        var path = Path.Combine(_root, $"{Interlocked.Increment(ref _last)}-{name}");
        Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>The one that the process gets as the system's.</summary>
    public OwnTempFolder CreateOwn()
    {
        Environment.SetEnvironmentVariable(LeaseFolder.Variable, LeaseFolder.Default);
        return new OwnTempFolder(Create("process"));
    }

    /// <returns>Where a failed test's folder is now; null if it is gone.</returns>
    public static string? End(string path, bool hasFailed)
    {
        if (!Directory.Exists(path))
            return null;
        if (!hasFailed)
        {
            Directory.Delete(path, recursive: true);
            return null;
        }
        Directory.Move(path, path + FailedEnd);
        return path + FailedEnd;
    }

    /// <summary>At the end of the run: all but what failed tests left.</summary>
    public void Clear() => Clear(_root);

    /// <summary>What a dead run left behind, but for its failed tests.</summary>
    public void ClearDead(RunId run) => Clear(RootOf(_folder, run));

    /// <summary>What failed tests of earlier runs left, once it is old.</summary>
    public void ClearOld()
    {
        var all = _folder.Of("temp");
        if (!Directory.Exists(all))
            return;
        foreach (var root in Directory.EnumerateDirectories(all))
        {
            var run = new RunId(Path.GetFileName(root));
            if (_time.GetUtcNow() - run.StartedAt > KeepFailed && RunFile.StateOf(_folder, run) != RunState.Alive)
                Directory.Delete(root, recursive: true);
        }
    }

    private static string RootOf(LeaseFolder folder, RunId run) => Path.Combine(folder.Of("temp"), run.Text);

    private static void Clear(string root)
    {
        if (!Directory.Exists(root))
            return;
        foreach (var path in Directory.EnumerateDirectories(root))
        {
            if (!path.EndsWith(FailedEnd, StringComparison.Ordinal))
                Directory.Delete(path, recursive: true);
        }
        if (!Directory.EnumerateFileSystemEntries(root).Any())
            Directory.Delete(root);
    }
}
