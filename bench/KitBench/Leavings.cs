using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using Npgsql;

namespace KitBench;

/// <summary>Leavings are what the kit's runs could have left: topics, groups, databases, files, leases, processes.</summary>
internal static class Leavings
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public static async Task<IReadOnlyList<string>> FindAsync(BenchOptions options, IEnumerable<SuiteOutcome> ended)
    {
        List<string> left = [.. await DatabasesAsync(options.Postgres), .. Files(), .. Processes(ended)];
        if (options.Brokers.Contains(BenchOptions.Real))
            left.AddRange(await OnBrokerAsync(options.BootstrapServers!));
        return left;
    }

    private static async Task<List<string>> OnBrokerAsync(string servers)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers }).Build();
        var left = admin.GetMetadata(Limit).Topics.Where(topic => topic.Topic.StartsWith("test-", StringComparison.Ordinal))
            .Select(topic => $"topic {topic.Topic}").ToList();
        var groups = await admin.ListConsumerGroupsAsync(new() { RequestTimeout = Limit });
        left.AddRange(groups.Valid.Where(group => group.GroupId.StartsWith("test-consumer-", StringComparison.Ordinal))
            .Select(group => $"group {group.GroupId} ({group.State})"));
        return left;
    }

    private static async Task<List<string>> DatabasesAsync(string server)
    {
        await using var connection = new NpgsqlConnection(server);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(@"SELECT datname FROM pg_database WHERE datname LIKE 'test\_%'", connection);
        await using var rows = await command.ExecuteReaderAsync();
        var left = new List<string>();
        while (await rows.ReadAsync())
            left.Add($"database {rows.GetString(0)}");
        return left;
    }

    /// <summary>Notes of runs, folders of tests, and leases that somebody still holds although the processes have ended.</summary>
    private static IEnumerable<string> Files()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"evenkeel-testing-{Environment.UserName}");
        foreach (var file in Directory.EnumerateFiles(folder, "run-*.lock"))
            yield return $"note {file}";
        var temp = Path.Combine(folder, "temp");
        foreach (var path in Directory.Exists(temp) ? Directory.EnumerateFileSystemEntries(temp) : [])
            yield return $"folder {path}";
        foreach (var file in Directory.EnumerateFiles(folder, "*.lock", SearchOption.AllDirectories))
        {
            if (IsHeld(file))
                yield return $"lease {file}";
        }
    }

    private static bool IsHeld(string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static IEnumerable<string> Processes(IEnumerable<SuiteOutcome> ended)
    {
        var ids = ended.Select(outcome => outcome.ProcessId).ToHashSet();
        foreach (var process in Process.GetProcesses())
        {
            using (process)
            {
                if (ids.Contains(process.Id) || ParentOf(process.Id) is { } parent && ids.Contains(parent))
                    yield return $"process {process.Id}";
            }
        }
    }

    private static int? ParentOf(int process)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat");
        if (!File.Exists(path))
            return null;
        var stat = File.ReadAllText(path);
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
