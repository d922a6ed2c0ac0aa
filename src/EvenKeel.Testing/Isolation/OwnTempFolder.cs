namespace EvenKeel.Testing.Isolation;

/// <summary>
/// The own temporary folder is what this process, and whatever it starts, gets as the system's: what lies in it is therefore of its tests,
/// and goes with the run.
/// </summary>
internal sealed class OwnTempFolder
{
    public static readonly string[] Variables = OperatingSystem.IsWindows() ? ["TMP", "TEMP"] : ["TMPDIR"];
    private readonly (string Name, string? Before)[] _before;

    public OwnTempFolder(string path)
    {
        Path = path;
        _before = [.. Variables.Select(name => (name, Environment.GetEnvironmentVariable(name)))];
        foreach (var name in Variables)
            Environment.SetEnvironmentVariable(name, path);
    }

    public string Path { get; }

    public IEnumerable<string> Entries() =>
        Directory.Exists(Path) ? Directory.EnumerateFileSystemEntries(Path).Select(entry => System.IO.Path.GetFileName(entry)) : [];

    /// <summary>Gives the process the system's again. The folder is the run's to delete.</summary>
    public void End()
    {
        foreach (var (name, before) in _before)
            Environment.SetEnvironmentVariable(name, before);
    }
}
