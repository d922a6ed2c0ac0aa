using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EvenKeel.Queue.Storage;

/// <summary>The disk below .NET's own calls: a whole read, and the two that .NET lacks: fdatasync (FlushToDisk is fsync and costs an
/// extra journal commit), and fsync of a directory.</summary>
internal static partial class NativeDisk
{
    /// <summary>Reads until the span is full or the file ends: one call may bring less.</summary>
    public static int Read(SafeFileHandle file, Span<byte> destination, long offset)
    {
        var total = 0;
        while (total < destination.Length)
        {
            var read = RandomAccess.Read(file, destination[total..], offset + total);
            if (read == 0)
                break;
            total += read;
        }
        return total;
    }

    public static void SyncData(SafeFileHandle file, string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(file); // macOS: F_FULLFSYNC; Windows: FlushFileBuffers.
            return;
        }
        if (FDataSync(file) != 0)
            throw LastError("fdatasync", path);
    }

    /// <summary>Makes creations and removals in a folder durable. Windows has no such call: NTFS journals its directories.</summary>
    public static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        var descriptor = Open(path, 0 /* O_RDONLY */);
        if (descriptor < 0)
            throw LastError("open", path);
        try
        {
            if (FSync(descriptor) != 0)
                throw LastError("fsync", path);
        }
        finally
        {
            _ = Close(descriptor); // Read-only descriptor: close has nothing to write and nothing to report.
        }
    }

    private static IOException LastError(string call, string path)
    {
        var errno = Marshal.GetLastPInvokeError();
        return new IOException($"{call} of '{path}' failed: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).", errno);
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
