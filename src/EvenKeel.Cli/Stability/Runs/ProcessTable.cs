using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace EvenKeel.Cli.Stability.Runs;

/// <summary>The process table is what the kernel tells of other processes, through /proc; where there is none it tells nothing.</summary>
internal static partial class ProcessTable
{
    private const int Kill = 9;

    // What the runtime itself starts in every process.
    private static readonly string[] RuntimeThreads = [".NET ", "dotnet-", "LTTng", "-ust"];

    /// <summary>Processes that bear the mark in their environment or belong to the session, without the leader of that session.</summary>
    public static IReadOnlyList<(int Id, string Command)> Descendants(int session, string mark)
    {
        var found = new List<(int, string)>();
        if (!Directory.Exists("/proc/self"))
            return found;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out var id) && id != session && id != Environment.ProcessId
                && (SessionOf(id) == session || Bears(id, mark)) && !IsGone(id))
            {
                found.Add((id, CommandOf(id)));
            }
        }
        return found;
    }

    /// <summary>Ends a process by its id; one that is gone already is no error.</summary>
    public static void End(int id)
    {
        if (OperatingSystem.IsWindows())
        {
            using var process = Process.GetProcesses().FirstOrDefault(process => process.Id == id);
            process?.Kill(entireProcessTree: true);
        }
        else
        {
            _ = SendSignal(id, Kill);
        }
    }

    /// <summary>Names of the threads of a process that the runtime does not start by itself.</summary>
    public static IReadOnlyList<string> ThreadsOf(int id)
    {
        var folder = $"/proc/{id}/task";
        var main = Read($"/proc/{id}/comm").Trim();
        return !Directory.Exists(folder)
            ? []
            : [.. Directory.EnumerateDirectories(folder)
                .Where(task => Path.GetFileName(task) != $"{id}")
                .Select(task => Read($"{task}/comm").Trim())
                .Where(name => name.Length > 0 && name != main
                    && !RuntimeThreads.Any(own => name.StartsWith(own, StringComparison.Ordinal)))
                .Distinct()];
    }

    private static int SessionOf(int id)
    {
        var stat = Read($"/proc/{id}/stat");
        var columns = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return columns.Length > 3 && int.TryParse(columns[3], out var session) ? session : -1;
    }

    private static bool IsGone(int id)
    {
        var stat = Read($"/proc/{id}/stat");
        var columns = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return columns.Length == 0 || columns[0] is "Z" or "X";
    }

    private static bool Bears(int id, string mark) => Read($"/proc/{id}/environ").Contains(mark, StringComparison.Ordinal);

    private static string CommandOf(int id) => Read($"/proc/{id}/cmdline").Replace('\0', ' ').Trim();

    // A process may end between being listed and being read, and others' are closed to us: both are nothing to tell.
    private static string Read(string path)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(path));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
