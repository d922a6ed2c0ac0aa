using System.Text.Json;

namespace MetricStream.Serving;

/// <summary>The server cannot start for a reason that its operator can mend; the message says how. Exit code 2.</summary>
internal sealed class StartRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// The folder that holds everything the server keeps, in use by one process at a time. <c>format.json</c> says which version of the layout
/// it has: an older one is upgraded here, a newer one refused.
/// </summary>
internal sealed class DataDirectory : IDisposable
{
    public const int FormatVersion = 1;

    private const string FormatFile = "format.json";
    private const string LockFile = "metricstream.lock";

    private readonly FileStream _lock;

    private DataDirectory(FileStream directoryLock) => _lock = directoryLock;

    public static DataDirectory Open(string path)
    {
        path = Path.GetFullPath(path);
        FileStream directoryLock;
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException(
                $"The data directory '{path}' cannot be made: {error.Message} Name another with --data, or mend its rights.", error);
        }
        try
        {
            directoryLock = new FileStream(Path.Combine(path, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new StartRefusedException(
                $"The data directory '{path}' is not writable: {error.Message} Name another with --data, or mend its rights.", error);
        }
        catch (IOException error)
        {
            throw new StartRefusedException(
                $"The data directory '{path}' is locked or not writable: {error.Message} "
                + "Stop the other MetricStream that uses it, or name another with --data.", error);
        }
        try
        {
            CheckFormat(path);
            return new DataDirectory(directoryLock);
        }
        catch
        {
            directoryLock.Dispose();
            throw;
        }
    }

    public void Dispose() => _lock.Dispose();

    private static void CheckFormat(string path)
    {
        var file = Path.Combine(path, FormatFile);
        try
        {
            if (!File.Exists(file))
            {
                // Written aside and renamed: a crash leaves no half of it.
                var draft = file + ".new";
                File.WriteAllText(draft, $$"""{"format":"metricstream","version":{{FormatVersion}}}""" + "\n");
                File.Move(draft, file, overwrite: true);
                return;
            }
            using var format = JsonDocument.Parse(File.ReadAllText(file));
            if (format.RootElement.GetProperty("format").GetString() != "metricstream")
                throw new StartRefusedException($"'{file}' belongs to another program. Name another directory with --data.");
            var version = format.RootElement.GetProperty("version").GetInt32();
            if (version < 1)
                throw new StartRefusedException(
                    $"'{file}' names version {version}, which never was. Restore it, or name another directory with --data.");
            if (version > FormatVersion)
                throw new StartRefusedException(
                    $"The data directory '{path}' has format version {version}; this program knows up to {FormatVersion}. "
                    + "Use the version that wrote it, or a newer one; nothing was changed.");
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new StartRefusedException(
                $"'{file}' cannot be understood: {error.Message} Restore it, or name another directory with --data.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"'{file}' cannot be read or written: {error.Message} Mend the rights or free space.", error);
        }
    }
}
