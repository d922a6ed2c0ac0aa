using System.Globalization;
using System.Text.RegularExpressions;

namespace EvenKeel.Testing.PostgreSql;

/// <summary>
/// The names of a run's databases: <c>{prefix}_{name}_t_{run}</c> for a template, <c>{prefix}_{name}_w{worker}_{run}</c> for a worker's,
/// and <c>…_f{n}</c> after a failure. The run in them tells whose they are.
/// </summary>
internal static partial class DatabaseName
{
    // PostgreSQL cuts longer names without a word, and two could become one.
    public const int MaxLength = 63;

    public static string Template(string prefix, string name, string run) => Checked($"{prefix}_{name}_t_{run}");

    public static string Worker(string prefix, string name, int worker, string run, int version) => Checked(string.Create(
        CultureInfo.InvariantCulture, $"{prefix}_{name}_w{worker}_{run}{(version > 0 ? $"_f{version}" : "")}"));

    /// <summary>The run that made a database; null if no run of this prefix did.</summary>
    public static string? RunOf(string prefix, string database)
    {
        var match = End().Match(database);
        return match.Success && database.StartsWith(prefix + "_", StringComparison.Ordinal) ? match.Groups[1].Value : null;
    }

    private static string Checked(string name) =>
        name.Length <= MaxLength && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_')
            ? name
            : throw new ArgumentException(
                $"The database '{name}' would have {name.Length} characters of at most {MaxLength}, or others than a-z, 0-9 and _: choose "
                + "a shorter name, or another prefix.");

    [GeneratedRegex("_(?:t|w[0-9]+)_([0-9a-z]{9})(?:_f[0-9]+)?$")]
    private static partial Regex End();
}
