namespace EvenKeel.Testing.Workers;

/// <summary>
/// A lease file is a file that one holder on the machine has open exclusively: it stands for whatever its name says. The system ends the
/// lease with the process, however that ends, so a crashed holder leaves nothing to clean up.
/// </summary>
internal sealed class LeaseFile : IDisposable
{
    // What .NET reports for a file that somebody else has locked: the system's own number.
    private const int HeldOnLinux = 11;
    private const int HeldOnMac = 35;
    private const int HeldOnWindows = unchecked((int)0x80070020);

    private readonly FileStream _stream;

    private LeaseFile(FileStream stream) => _stream = stream;

    public string Path => _stream.Name;

    /// <summary>Takes the lease, or answers null while another holder, in this process or any other, has it.</summary>
    /// <param name="path">The file, in a folder that exists.</param>
    /// <param name="mode">Open fails with <see cref="FileNotFoundException"/> when the file is not there.</param>
    /// <param name="isShared">With other holders that share; never beside one that does not.</param>
    public static LeaseFile? TryTake(string path, FileMode mode = FileMode.OpenOrCreate, bool isShared = false)
    {
        try
        {
            // Reading alone, shared, is a shared lock of the system; it cannot create the file.
            if (isShared && !File.Exists(path))
                new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite).Dispose();
            return new LeaseFile(isShared
                ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0)
                : new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 0));
        }
        catch (IOException held) when (held.HResult is HeldOnLinux or HeldOnMac or HeldOnWindows)
        {
            return null;
        }
    }

    /// <summary>The lines that its holder, or the one before, wrote.</summary>
    public IReadOnlyList<string> ReadLines()
    {
        _stream.Position = 0;
        using var reader = new StreamReader(_stream, leaveOpen: true);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public void Rewrite(IEnumerable<string> lines)
    {
        _stream.SetLength(0);
        foreach (var line in lines)
            AppendLine(line);
    }

    public void AppendLine(string line)
    {
        _stream.Position = _stream.Length;
        _stream.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
        _stream.Flush();
    }

    /// <summary>Ends the lease. The file stays: whoever has opened it already could otherwise lease a name that is gone.</summary>
    public void Dispose() => _stream.Dispose();

    /// <summary>Ends the lease with the file; only for names that nobody will ever lease again.</summary>
    public void DisposeWithFile()
    {
        File.Delete(_stream.Name);
        _stream.Dispose();
    }
}
