using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue.Inspection;

/// <summary>
/// The folder a salvaged queue goes to. It is filled under another name beside its own and gets its own when it is whole, so that a
/// crash on the way never leaves a part that looks like the whole.
/// </summary>
internal sealed class SalvageFolder
{
    private const string UnfinishedSuffix = ".unfinished";

    private readonly string _final;
    private readonly string _parent;

    private SalvageFolder(string final)
    {
        _final = final;
        _parent = Path.GetDirectoryName(final) ?? final;
        Unfinished = final + UnfinishedSuffix;
    }

    /// <summary>Where the queue is written meanwhile.</summary>
    public string Unfinished { get; }

    public static SalvageFolder Reserve(string source, string destination)
    {
        var final = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        var folder = new SalvageFolder(final);
        if (File.Exists(final) || (Directory.Exists(final) && Directory.EnumerateFileSystemEntries(final).Any()))
            throw Refused($"'{final}' exists and is not empty. Name a folder that does not exist yet.");
        if (Path.Exists(folder.Unfinished))
            throw Refused($"'{folder.Unfinished}' is left of a salvage that was interrupted. Remove it and try again.");
        var inside = Path.TrimEndingDirectorySeparator(source) + Path.DirectorySeparatorChar;
        if ((final + Path.DirectorySeparatorChar).StartsWith(inside, StringComparison.Ordinal))
            throw Refused($"'{final}' lies in the queue that is to be salvaged. Name a folder outside of it.");
        return folder;
    }

    /// <summary>Gives the folder its own name, durably.</summary>
    public void Finish()
    {
        if (Directory.Exists(_final))
            Directory.Delete(_final);
        Directory.Move(Unfinished, _final);
        NativeDisk.SyncDirectory(_parent);
    }

    /// <summary>Removes what was written; it is a copy of what the source still holds.</summary>
    public void Discard()
    {
        if (Directory.Exists(Unfinished))
            Directory.Delete(Unfinished, recursive: true);
    }

    private static QueueOpenException Refused(string message) => new(QueueOpenFailure.Unusable, message);
}
