using System.Globalization;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// What this process has, as the system knows it: threads, child processes, ports on which it listens. Linux only; elsewhere nothing is
/// seen, and nothing reported.
/// </summary>
internal static class ProcessView
{
    private const string Tasks = "/proc/self/task";
    private const string ListeningState = "0A";

    public static bool IsAvailable { get; } = OperatingSystem.IsLinux() && Directory.Exists(Tasks);

    /// <summary>By number; the runtime's own are left out: they come and go as it likes.</summary>
    public static IEnumerable<(string Id, string Name)> Threads()
    {
        foreach (var task in Numbers(Tasks))
        {
            if (Read($"{Tasks}/{task}/comm") is { } name && !name.StartsWith(".NET", StringComparison.Ordinal))
                yield return (task, name.TrimEnd());
        }
    }

    public static IEnumerable<(string Id, string Name)> Children()
    {
        foreach (var task in Numbers(Tasks))
        {
            foreach (var child in Read($"{Tasks}/{task}/children")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [])
            {
                if (Read($"/proc/{child}/comm") is { } name)
                    yield return (child, name.TrimEnd());
            }
        }
    }

    public static IEnumerable<int> ListeningPorts()
    {
        var own = Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(LinkOf).OfType<string>().ToHashSet();
        foreach (var table in new[] { "/proc/self/net/tcp", "/proc/self/net/tcp6" })
        {
            foreach (var line in (Read(table) ?? "").Split('\n').Skip(1))
            {
                // number, local address, remote address, state, …, the tenth is the socket.
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length > 9 && fields[3] == ListeningState && own.Contains($"socket:[{fields[9]}]"))
                    yield return int.Parse(fields[1].Split(':')[^1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            }
        }
    }

    private static IEnumerable<string> Numbers(string folder) =>
        Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path));

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return null; // It has ended since it was listed.
        }
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (IOException)
        {
            return null; // It was closed since it was listed.
        }
    }
}
