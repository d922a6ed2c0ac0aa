namespace MetricStream.Serving;

/// <summary>The place that settings were read from. What lies there in files may change while the server runs.</summary>
internal sealed class SettingsSource(
    IReadOnlyDictionary<string, string?> commandLine, string folder, IReadOnlyDictionary<string, string> environment)
{
    public (ServeSettings? Settings, IReadOnlyList<string> Violations) Read() => ServeConfiguration.Read(commandLine, folder, environment);

    /// <summary>What tells whether a file changed: of the configuration and of the keys.</summary>
    public FileStamps Stamps(string apiKeys) => new(
        FileStamp.Of(Path.Combine(folder, ServeConfiguration.FileName)),
        apiKeys.Length == 0 ? default : FileStamp.Of(Path.Combine(folder, apiKeys)));
}

/// <summary>The stamps of the files that settings come from, at one moment.</summary>
internal readonly record struct FileStamps(FileStamp Configuration, FileStamp Keys);

/// <summary>When a file was written last, and its length; that of no file where it is not there.</summary>
internal readonly record struct FileStamp(DateTime WrittenUtc, long Length)
{
    public static FileStamp Of(string path)
    {
        // The file behind a link: a mounted secret is exchanged by moving a link.
        var file = new FileInfo(path);
        var last = file.Exists ? file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file : file;
        return last.Exists ? new FileStamp(last.LastWriteTimeUtc, last.Length) : default;
    }
}
