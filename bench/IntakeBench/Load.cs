using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace IntakeBench;

/// <summary>What wrk measured in one run.</summary>
internal sealed record LoadResult(double RequestsPerSecond, double P99Milliseconds);

/// <summary>What the server did between two looks at its statistics.</summary>
internal sealed record Meanwhile(
    double StoredPerSecond, double RecordsPerGroup, double BodyMicroseconds, double ParseMicroseconds, double DurableMicroseconds,
    double WriteMicroseconds, double FsyncMicroseconds, double StoreMicroseconds)
{
    public static Meanwhile Between((JsonElement Stats, long At) before, (JsonElement Stats, long At) after)
    {
        double Grown(Func<JsonElement, JsonElement> of) => of(after.Stats).GetDouble() - of(before.Stats).GetDouble();
        double In(string part, string what) => Grown(s => s.GetProperty(part).GetProperty(what));
        double groups = In("queue", "groups"), batches = In("intake", "batches"), stored = Grown(s => s.GetProperty("stored"));
        return new Meanwhile(
            stored / Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds,
            In("queue", "durable") / groups,
            In("intake", "body_seconds") / batches * 1e6,
            In("intake", "parse_seconds") / batches * 1e6,
            In("intake", "durable_seconds") / batches * 1e6,
            In("queue", "write_seconds") / groups * 1e6,
            In("queue", "fsync_seconds") / groups * 1e6,
            In("store", "busy_seconds") / stored * 1e6);
    }
}

/// <summary>The load: one batch of three metrics, posted by wrk.</summary>
internal static partial class Load
{
    public const string Batch =
        """{"metrics":[{"name":"cpu_usage","value":75.5,"type":"gauge","tags":{"host":"web-1"}},"""
        + """{"name":"memory_usage","value":60.125,"type":"gauge","tags":{"host":"web-1"}},"""
        + """{"name":"requests_total","value":10042,"type":"counter","tags":{"host":"web-1"}}]}""";

    private static readonly HttpClient Http = new();

    public static string WrkScript =>
        $"""
        wrk.method = 'POST'
        wrk.headers['Content-Type'] = 'application/json'
        wrk.headers['X-Client-Id'] = 'bench-1'
        wrk.body = '{Batch}'

        """;

    public static async Task<LoadResult> WrkAsync(string script, string address, int connections, int seconds)
    {
        var start = new ProcessStartInfo("wrk",
            $"-t1 -c{connections} -d{seconds}s --latency -s \"{script}\" {address}/metrics")
        { RedirectStandardOutput = true };
        using var wrk = Process.Start(start)!;
        var output = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        if (output.Contains("Non-2xx", StringComparison.Ordinal) || output.Contains("Socket errors", StringComparison.Ordinal))
            throw new InvalidOperationException($"Requests failed; these figures would mean nothing:\n{output}");
        return new LoadResult(
            double.Parse(Rate().Match(output).Groups[1].Value, CultureInfo.InvariantCulture),
            Milliseconds(P99().Match(output).Groups));
    }

    public static async Task<(JsonElement Stats, long At)> StatsAsync(string address)
    {
        using var stats = JsonDocument.Parse(await Http.GetStringAsync(new Uri(address + "/api/stats")));
        return (stats.RootElement.Clone(), Stopwatch.GetTimestamp());
    }

    /// <summary>Each round starts with nothing left over from the one before.</summary>
    public static async Task WaitForEmptyQueueAsync(string address)
    {
        while ((await StatsAsync(address)).Stats.GetProperty("queued").GetInt64() > 0)
            await Task.Delay(50);
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static double Milliseconds(GroupCollection match) =>
        double.Parse(match[1].Value, CultureInfo.InvariantCulture) * match[2].Value switch { "us" => 0.001, "ms" => 1, _ => 1000 };

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"99%\s+([\d.]+)(us|ms|s)")]
    private static partial Regex P99();
}
