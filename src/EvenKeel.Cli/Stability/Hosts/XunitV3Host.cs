using System.Globalization;
using System.Text.Json;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>
/// The host of xunit v3 suites, which are executables: started directly, they tell each step as a line of JSON (<c>-automated</c>),
/// whichever
/// runner they were built with. The response file is what takes any number of ids.
/// </summary>
internal sealed class XunitV3Host(TestAssembly assembly) : ITestHost
{
    private const string Message = "{\"$type\":\"";

    // Of the run under way; there is one at a time.
    private IReadOnlyList<int> _order = [];

    public TestAssembly Assembly => assembly;

    public IReadOnlyList<int> FailureCodes { get; } = [1];

    public bool ImposesOrder => true;

    public string OrderNote => "";

    public TimeSpan Grace => TimeSpan.Zero;

    public bool FiltersItself => false;

    public HostCommand? List(RunFolder folder, bool fullNames)
    {
        if (fullNames)
            return null;
        File.WriteAllLines(folder.Arguments, ["-automated", "-preEnumerateTheories", "-list", "discovery"]);
        return new(assembly.Executable, ["@@", folder.Arguments], new Dictionary<string, string>());
    }

    public IReadOnlyList<TestCase> ReadList(IReadOnlyList<string> output, RunFolder folder)
    {
        var tests = new List<TestCase>();
        foreach (var line in output)
        {
            using var message = Parse(line);
            if (message is null || Text(message.RootElement, "$type") != "test-case-discovered" || IsExplicit(message.RootElement))
                continue;
            var root = message.RootElement;
            var test = new TestCase(
                tests.Count, Text(root, "TestCaseUniqueID"), Text(root, "TestCaseDisplayName"), Text(root, "TestClassName"),
                Text(root, "TestMethodName"))
            {
                Collection = Text(root, "TestCollectionUniqueID"),
                IsAsync = Text(root, "TestMethodReturnTypeVSTest").StartsWith("System.Threading.Tasks.", StringComparison.Ordinal),
                SkipReason = root.TryGetProperty("SkipReason", out var skip) ? skip.GetString() : null,
                Traits = TraitsOf(root),
            };
            tests.Add(test);
        }
        // Rows with equal arguments have one id: xunit v3 runs the first and skips the others.
        return [.. tests.DistinctBy(test => test.Id, StringComparer.Ordinal)];
    }

    public HostCommand Run(RunSpec spec, Catalogue catalogue, RunFolder folder)
    {
        _order = spec.Order;
        List<string> lines = ["-automated", "-preEnumerateTheories", "-trx", folder.Trx];
        lines.AddRange(spec.Workers == 1
            ? ["-parallel", "none"]
            : ["-parallel", "collections", "-maxThreads", spec.Workers.ToString(CultureInfo.InvariantCulture)]);
        // Always by id: the catalogue may be a part of what the assembly holds.
        foreach (var test in spec.Order)
            lines.AddRange(["-id", catalogue[test].Id]);
        File.WriteAllLines(folder.Arguments, lines);
        File.WriteAllLines(folder.Order, spec.Order.Select(test => catalogue[test].Collection).Distinct()
            .Concat(spec.Order.Select(test => catalogue[test].Id)));
        return new(assembly.Executable, ["@@", folder.Arguments], new Dictionary<string, string> { ["EVENKEEL_ORDER"] = folder.Order });
    }

    public bool ReadLine(string line, double second, Catalogue catalogue, RunObservation seen)
    {
        if (IsWholeAndOfNoInterest(line))
            return true;
        using var message = Parse(line);
        if (message is null)
            return false;
        var root = message.RootElement;
        var test = catalogue.Find(Text(root, "TestCaseUniqueID"));
        switch (Text(root, "$type"))
        {
            case "test-case-starting" when test >= 0:
                seen.Start(test, second);
                break;
            case "test-passed" when test >= 0:
                seen.Report(test, TestOutcome.Passed);
                break;
            case "test-skipped" when test >= 0:
                seen.Report(test, TestOutcome.Skipped);
                break;
            case "test-failed" when test >= 0:
                seen.Report(test, TestOutcome.Failed, FailureIn(root));
                break;
            case "test-case-finished" when test >= 0:
                seen.End(test, second);
                break;
            case "test-assembly-finished":
                seen.Finish();
                break;
            case "error" or "error-message" or "test-assembly-cleanup-failure"
                or "test-collection-cleanup-failure" or "test-class-cleanup-failure"
                or "test-method-cleanup-failure" or "test-case-cleanup-failure" or "test-cleanup-failure":
                seen.Trouble($"{Text(root, "$type")}: {FailureIn(root).Message}");
                break;
        }
        return true;
    }

    public void ReadFile(RunFolder folder, DateTimeOffset started, Catalogue catalogue, RunObservation seen)
    {
        // The messages said it all unless a test's own output tore one apart; names are what the file has to find a test by.
        if (!seen.Finished || _order.All(test => seen.Outcomes[test] != TestOutcome.Unheard))
            return;
        foreach (var entry in TrxFile.Read(folder.Trx))
        {
            var test = catalogue.Tests.FirstOrDefault(test => test.Name == entry.Name && seen.Outcomes[test.Index] == TestOutcome.Unheard);
            if (test is not null && entry.Outcome != TestOutcome.Unheard)
                seen.Report(test.Index, entry.Outcome, entry.Failure);
        }
    }

    // Most messages are of no interest here, and parsing them would cost as much as all others.
    private static bool IsWholeAndOfNoInterest(string line)
    {
        if (!line.StartsWith(Message, StringComparison.Ordinal) || !line.EndsWith('}'))
            return false;
        var type = line.AsSpan(Message.Length);
        return type.StartsWith("test-starting\"") || type.StartsWith("test-finished\"") || type.StartsWith("test-output\"")
            || type.StartsWith("test-method-starting\"") || type.StartsWith("test-method-finished\"")
            || type.StartsWith("test-class-construction-") || type.StartsWith("test-class-dispose-");
    }

    private static bool IsExplicit(JsonElement root) => root.TryGetProperty("Explicit", out var value)
        && value.ValueKind == JsonValueKind.True;

    // A test that writes without a line's end leaves its text before our message.
    private static JsonDocument? Parse(string line)
    {
        var at = line.IndexOf(Message, StringComparison.Ordinal);
        if (at < 0)
            return null;
        try
        {
            return JsonDocument.Parse(line.AsMemory(at));
        }
        catch (JsonException)
        {
            // Torn apart by something else that writes to the same output: whatever it reported is then missing, or in the result file.
            return null;
        }
    }

    private static string Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static Failure FailureIn(JsonElement root) => new(Joined(root, "Messages"), Joined(root, "StackTraces"));

    private static string Joined(JsonElement root, string name) =>
        root.TryGetProperty(name, out var values) && values.ValueKind == JsonValueKind.Array
            ? string.Join('\n', values.EnumerateArray().Where(value => value.ValueKind == JsonValueKind.String)
                .Select(value => value.GetString()))
            : "";

    private static Dictionary<string, IReadOnlyList<string>> TraitsOf(JsonElement root)
    {
        var traits = new Dictionary<string, IReadOnlyList<string>>();
        if (root.TryGetProperty("Traits", out var found) && found.ValueKind == JsonValueKind.Object)
        {
            foreach (var trait in found.EnumerateObject())
                traits[trait.Name] = [.. trait.Value.EnumerateArray().Select(value => value.GetString() ?? "")];
        }
        return traits;
    }
}
