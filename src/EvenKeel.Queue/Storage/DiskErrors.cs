namespace EvenKeel.Queue.Storage;

/// <summary>Tells disk errors apart: those that pass when there is room again, and those after which nothing is certain.</summary>
internal static class DiskErrors
{
    // Raw errno on Linux and macOS (.NET puts it into HResult), HRESULT_FROM_WIN32 on Windows.
    private const int Enospc = 28;
    private const int EdquotLinux = 122;
    private const int EdquotMac = 69;
    private const int Efbig = 27;
    private const int ErrorDiskFull = unchecked((int)0x80070070);
    private const int ErrorHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>True when the disk, the quota or the file size limit is exhausted: the write was refused, the device is sound.</summary>
    public static bool IsOutOfSpace(IOException error) =>
        error.HResult is Enospc or EdquotLinux or EdquotMac or Efbig or ErrorDiskFull or ErrorHandleDiskFull;

    /// <summary>The exception .NET itself would have thrown for an out-of-space write; the simulated disk uses it.</summary>
    public static IOException OutOfSpace(string path) => new($"No space left on device: '{path}'.", Enospc);
}
