namespace EvenKeel.Testing.Workers;

/// <summary>The lease folder is where all test processes of a user on this machine keep their lease files.</summary>
internal sealed class LeaseFolder
{
    private LeaseFolder(string path) => Path = path;

    /// <summary>Where a run with a temporary folder of its own tells the processes that it starts what the default is.</summary>
    public const string Variable = "EVENKEEL_TESTING_LEASES";

    /// <summary>One a user: what another user leases is not seen here, and not ours to open.</summary>
    public static string Default =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } told
            ? told
            : System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"evenkeel-testing-{Environment.UserName}");

    public string Path { get; }

    /// <exception cref="InvalidOperationException">File locks are switched off in this process, or the folder's disk has none.</exception>
    public static LeaseFolder Open(string path)
    {
        Directory.CreateDirectory(path);
        var folder = new LeaseFolder(path);

        // Without locks every lease would be handed out to everybody: found here, or as tests that clash once a month.
        using var first = folder.TryTake($"probe-{Guid.NewGuid():N}");
        using var second = LeaseFile.TryTake(first!.Path);
        File.Delete(first.Path);
        return second is null
            ? folder
            : throw new InvalidOperationException(
                $"Files in {path} cannot be locked, so workers and ports cannot be leased. Unset DOTNET_SYSTEM_IO_DISABLEFILELOCKING, or "
                + "set TestRunOptions.LeaseDirectory to a folder on a local disk.");
    }

    public LeaseFile? TryTake(string name, bool isShared = false) => LeaseFile.TryTake(Of(name), isShared: isShared);

    public string Of(string name) => System.IO.Path.Combine(Path, name);
}
