using System.Globalization;
using System.Text.Json;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>
/// The baseline is the list of tests that are known to be unstable and do not fail the command, each until a date:
/// <c>{"tests":[{"name":"…","expires":"2026-12-31","reason":"…"}]}</c>. A <c>report.json</c> is one as well: what it found is known.
/// </summary>
internal sealed class Baseline
{
    private readonly Dictionary<string, DateOnly?> _known = new(StringComparer.Ordinal);
    private readonly DateOnly _today;

    private Baseline(DateOnly today) => _today = today;

    public IEnumerable<string> Expired => _known.Where(entry => entry.Value < _today).Select(entry => entry.Key);

    public static Baseline Empty(TimeProvider time) => new(Today(time));

    /// <summary>Reads a baseline; what is wrong with it comes back as one sentence.</summary>
    public static (Baseline? Read, string? Violation) Read(string file, TimeProvider time)
    {
        if (!File.Exists(file))
            return (null, $"--baseline is '{file}', which does not exist.");
        var baseline = new Baseline(Today(time));
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(file));
            foreach (var test in document.RootElement.GetProperty("tests").EnumerateArray())
            {
                if (test.TryGetProperty("verdict", out var verdict) && verdict.GetString() is "stable" or "infrastructure")
                    continue;
                baseline._known[test.GetProperty("name").GetString()!] = test.TryGetProperty("expires", out var expires)
                    ? DateOnly.ParseExact(expires.GetString()!, "yyyy-MM-dd", CultureInfo.InvariantCulture)
                    : null;
            }
            return (baseline, null);
        }
        catch (Exception wrong) when (wrong is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            or ArgumentNullException)
        {
            return (null, $"--baseline is '{file}', which is no baseline ({wrong.Message}): write "
                + "{\"tests\":[{\"name\":\"…\",\"expires\":\"2026-12-31\"}]}, or name a report.json.");
        }
    }

    public bool Knows(string name) => _known.TryGetValue(name, out var expires) && (expires is null || expires >= _today);

    private static DateOnly Today(TimeProvider time) => DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
}
