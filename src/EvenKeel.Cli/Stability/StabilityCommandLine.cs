using System.CommandLine;
using System.Globalization;
using EvenKeel.Cli.Stability.Planning;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability;

/// <summary>
/// The command line of <c>stability</c> and of <c>stability quick</c>: all texts, so that everything that is wrong is said at once.
/// </summary>
internal sealed class StabilityCommandLine
{
    private const int MostIterations = 10_000;
    private const int MostWorkers = 256;

    private readonly bool _isQuick;
    private readonly Argument<string?> _path = new("PATH")
    {
        Description = "A test project, a solution, a folder with one of them, or a built test assembly.",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<string> _iterations = Text("--iterations", "N", "Runs per level.", "10");
    private readonly Option<string> _levels = Text("--levels", "1,2,4", "Parallel workers.", "1,2,4");
    private readonly Option<string?> _budget = Optional("--budget", "TIME", "Stop in time, saying what was not done.");
    private readonly Option<string?> _filter = Optional("--filter", "EXPR", "Which tests, as dotnet test takes it, or a part of the name.");
    private readonly Option<string> _shuffle = Text("--shuffle", "on|off", "Orders and their reverse.", "on");
    private readonly Option<string> _noise = Text("--noise", "on|off", "Load on the processors.", "on");
    private readonly Option<string?> _seed = Optional("--seed", "N", "The plan with this seed; printed by every run.");
    private readonly Option<string> _timeout = Text("--timeout", "TIME", "For one run; past it the run is a hang.", "10m");
    private readonly Option<string?> _baseline = Optional("--baseline", "FILE", "Known unstable tests that do not fail the command.");
    private readonly Option<string> _out = Text("--out", "DIR", "Where the reports and the raw results go.", "./stability-report");
    private readonly Option<string?> _since = Optional("--since", "REV", "Only test classes touched since that revision.");

    public StabilityCommandLine(bool isQuick) => _isQuick = isQuick;

    public void AddTo(Command command)
    {
        command.Arguments.Add(_path);
        if (!_isQuick)
        {
            command.Options.Add(_iterations);
            command.Options.Add(_levels);
        }
        foreach (var option in new Option[] { _budget, _filter, _shuffle, _noise, _seed, _timeout, _baseline, _out, _since })
            command.Options.Add(option);
    }

    /// <summary>The options, or null with every violation named.</summary>
    public StabilityOptions? Read(ParseResult parsed, List<string> violations)
    {
        var iterations = _isQuick ? 2 : Number(parsed.GetRequiredValue(_iterations), "--iterations", MostIterations, violations);
        IReadOnlyList<int> levels = _isQuick ? [1] : Levels(parsed.GetRequiredValue(_levels), violations);
        var plan = new PlanOptions(
            iterations, levels, Seed(parsed.GetValue(_seed), violations),
            Switch(parsed.GetRequiredValue(_shuffle), "--shuffle", violations),
                Switch(parsed.GetRequiredValue(_noise), "--noise", violations));
        var timeout = Time(parsed.GetRequiredValue(_timeout), "--timeout", violations);
        TimeSpan? budget = parsed.GetValue(_budget) is { } text ? Time(text, "--budget", violations) : null;
        var filter = parsed.GetValue(_filter);
        try
        {
            _ = TestFilter.Parse(filter);
        }
        catch (FormatException wrong)
        {
            violations.Add(wrong.Message);
        }
        var file = Path(parsed.GetValue(_path), violations);
        var folder = parsed.GetRequiredValue(_out);
        if (violations.Count == 0 && WhyNotWritable(folder) is { } reason)
            violations.Add($"--out is '{folder}', which cannot be written: {reason}");
        return violations.Count > 0 || file is null ? null : new(file, plan, folder)
        {
            Budget = budget,
            Timeout = timeout,
            Filter = filter,
            BaselineFile = parsed.GetValue(_baseline),
            Since = parsed.GetValue(_since),
            IsQuick = _isQuick,
        };
    }

    private static string? Path(string? path, List<string> violations)
    {
        if (path is null)
        {
            violations.Add("PATH is missing: name a test project, a solution, or a built test assembly.");
            return null;
        }
        var (file, violation) = SuiteBuild.Locate(path);
        if (violation is not null)
            violations.Add(violation);
        return file;
    }

    private static string? WhyNotWritable(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            using var probe = File.Create(System.IO.Path.Combine(folder, $".probe-{Environment.ProcessId}"), 1, FileOptions.DeleteOnClose);
            return null;
        }
        catch (Exception cannot) when (cannot is IOException or UnauthorizedAccessException)
        {
            return cannot.Message;
        }
    }

    private static int Seed(string? text, List<string> violations)
    {
        // Short enough to be typed; drawn here and nowhere else.
        if (text is null)
            return System.Security.Cryptography.RandomNumberGenerator.GetInt32(1, 1_000_000);
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed))
            return seed;
        violations.Add($"--seed is '{text}': use a whole number from 0 to {int.MaxValue}.");
        return 0;
    }

    private static int Number(string text, string option, int most, List<string> violations)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most)
            return number;
        violations.Add($"{option} is '{text}': use a whole number from 1 to {most}.");
        return 1;
    }

    private static List<int> Levels(string text, List<string> violations)
    {
        var levels = new List<int>();
        foreach (var part in text.Split(','))
        {
            if (int.TryParse(part.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var workers)
                && workers is >= 1 and <= MostWorkers)
            {
                if (!levels.Contains(workers))
                    levels.Add(workers);
                continue;
            }
            violations.Add($"--levels is '{text}': '{part}' is no number of workers from 1 to {MostWorkers}; write 1,2,4.");
        }
        return [.. levels.Order()];
    }

    private static bool Switch(string text, string option, List<string> violations)
    {
        if (text is "on" or "off")
            return text == "on";
        violations.Add($"{option} is '{text}': use on or off.");
        return false;
    }

    private static TimeSpan Time(string text, string option, List<string> violations)
    {
        (string Unit, double Milliseconds)[] units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        foreach (var (unit, milliseconds) in units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                    && number > 0)
            {
                return TimeSpan.FromMilliseconds(number * milliseconds);
            }
        }
        violations.Add($"{option} is '{text}': use a time such as 90s, 10m or 2h.");
        return TimeSpan.FromMinutes(1);
    }

    private static Option<string> Text(string name, string help, string description, string value) =>
        new(name) { HelpName = help, Description = description, DefaultValueFactory = _ => value };

    private static Option<string?> Optional(string name, string help, string description)
        => new(name) { HelpName = help, Description = description };
}
