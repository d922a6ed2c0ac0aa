using System.Globalization;

namespace EvenKeel.Testing.Workers;

/// <summary>
/// The names that one worker uses: unique to the worker and the run, the same from test to test, and new after each failure.
/// </summary>
internal sealed record WorkerNames(string Prefix, int Worker, RunId Run)
{
    /// <summary>
    /// <c>{prefix}-{topic}-{worker}-{short id}</c>, with <c>-p{n}</c> behind it where another of that name has other partitions, and after
    /// a failure <c>…-f{n}</c>.
    /// </summary>
    public string Topic(string topic, int version, int? partitions = null) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Prefix}-{topic}-w{Worker}-{Run}{(partitions is null ? "" : $"-p{partitions}")}{(version > 0 ? $"-f{version}" : "")}");

    /// <summary><c>{prefix}-consumer-{worker}-{short id}-{topic}-{n}</c>.</summary>
    public string Group(string topic, int version) =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}-consumer-w{Worker}-{Run}-{topic}-{version}");
}
