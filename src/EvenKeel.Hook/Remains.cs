using System.Globalization;

namespace EvenKeel.Hook;

/// <summary>
/// The remains are what a test process still holds when it ends: listening sockets, and an environment that is not what it was.
/// It looks once, at the end: while tests run it costs nothing.
/// </summary>
internal static class Remains
{
    private static readonly string[] Tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

    public static void Watch(string file)
    {
        var before = Snapshot();
        var folder = Environment.CurrentDirectory;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.WriteAllLines(file, Describe(before, folder));
    }

    private static IEnumerable<string> Describe(Dictionary<string, string> before, string folder)
    {
        var after = Snapshot();
        foreach (var name in after.Keys.Union(before.Keys).Order(StringComparer.Ordinal))
        {
            after.TryGetValue(name, out var now);
            before.TryGetValue(name, out var then);
            if (now != then)
                yield return $"environment\tvariable {name} {(then is null ? "set" : now is null ? "removed" : "changed")}";
        }
        if (Environment.CurrentDirectory != folder)
            yield return "environment\tcurrent directory changed";
        foreach (var port in ListeningPorts())
            yield return $"socket\tlistening on {port}";
    }

    private static Dictionary<string, string> Snapshot()
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        return variables;
    }

    private static IEnumerable<string> ListeningPorts()
    {
        if (!Directory.Exists("/proc/self/fd"))
            yield break;
        var own = new HashSet<string>(StringComparer.Ordinal);
        foreach (var descriptor in Directory.EnumerateFiles("/proc/self/fd"))
        {
            if (new FileInfo(descriptor).LinkTarget is { } target && target.StartsWith("socket:[", StringComparison.Ordinal))
                own.Add(target["socket:[".Length..^1]);
        }
        foreach (var table in Tables.Where(File.Exists))
        {
            foreach (var line in File.ReadLines(table).Skip(1))
            {
                var columns = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                const string Listening = "0A";
                if (columns.Length > 9 && columns[3] == Listening && own.Contains(columns[9]))
                {
                    var port = columns[1][(columns[1].IndexOf(':', StringComparison.Ordinal) + 1)..];
                    yield return $"TCP port {int.Parse(port, NumberStyles.HexNumber, CultureInfo.InvariantCulture)}";
                }
            }
        }
    }
}
