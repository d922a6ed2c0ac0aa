using EvenKeel.Testing.Isolation;

namespace EvenKeel.Testing.Workers;

/// <summary>One test on its worker, from its beginning to its end.</summary>
public sealed class TestScope
{
    private readonly TestWorker _worker;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private string? _folder;
    private int _ended;

    internal TestScope(TestWorker worker, string name)
    {
        _worker = worker;
        Name = name;
    }

    /// <summary>The test's name.</summary>
    public string Name { get; }

    /// <summary>A folder for this test alone: gone when it ends, unless it fails; then it stays for a week and is told.</summary>
    public string TempFolder
    {
        get
        {
            lock (_gate)
                return _folder ??= _worker.Run.Temps.Create(Name);
        }
    }

    /// <summary>
    /// Ends the test: its consumers rest; after a failure the worker goes on with new topics and consumers. Harmless when repeated.
    /// </summary>
    /// <param name="hasFailed">The test failed.</param>
    public void End(bool hasFailed)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        _worker.EndTest(this, hasFailed);
        EndFolder(hasFailed);
    }

    private void EndFolder(bool hasFailed)
    {
        string? folder;
        lock (_gate)
            folder = _folder;
        if (folder is null)
            return;
        try
        {
            if (TempFolders.End(folder, hasFailed) is { } kept)
                _worker.Run.Tell($"The temporary folder of {Name}, which failed, is kept: {kept}");
        }
        catch (Exception held) when (held is IOException or UnauthorizedAccessException)
        {
            _worker.Run.Tell($"The temporary folder of {Name} could not be removed: {held.Message}");
        }
    }
}
