using System.Diagnostics;
using Xunit;

namespace EvenKeel.Queue.Tests;

/// <summary>A disk of 1 MiB in memory; only root may mount it.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    public static SmallDisk Mount(string folder)
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            Assert.Skip("A disk that is full needs root on Linux: a tmpfs of 1 MiB is mounted.");
        Directory.CreateDirectory(folder);
        if (Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder) is var exit && exit != 0)
            Assert.Skip($"A disk that is full needs the right to mount a tmpfs; mount ended with {exit}.");
        return new SmallDisk(folder);
    }

    public void MakeReadOnly() => Assert.Equal(0, Run("mount", "-o", "remount,ro", Folder));

    public void Dispose() => Assert.Equal(0, Run("umount", "-l", Folder));

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
