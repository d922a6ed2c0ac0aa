using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>
/// <c>report.json</c>: the report for programs; its members are a contract, and <c>schemaVersion</c> changes with their meaning.
/// </summary>
internal static class ReportJson
{
    private static readonly JsonSerializerOptions Format =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(StabilityReport report) => new JsonObject
    {
        ["schemaVersion"] = StabilityReport.SchemaVersion,
        ["seed"] = report.Seed,
        ["verdict"] = report.Verdict,
        ["reason"] = report.NotRunReason,
        ["path"] = report.Suite,
        ["seconds"] = Math.Round(report.Seconds, 3),
        ["experiments"] = report.Experiments,
        ["suite"] = report.SuiteNumbers.DeepClone(),
        ["levels"] = Array(report.Levels, level => new JsonObject
        {
            ["workers"] = level.Workers,
            ["iterations"] = level.Iterations,
            ["passedRuns"] = level.PassedRuns,
            ["medianSeconds"] = Math.Round(level.MedianSeconds, 3),
            ["speedup"] = level.Speedup is { } speedup ? Math.Round(speedup, 3) : null,
        }),
        ["tests"] = Array(report.Tests, Test),
        ["runs"] = Array(report.Runs, Run),
        ["teardown"] = new JsonObject
        {
            ["verdict"] = report.Teardown.IsSlow ? "slow-teardown" : "ok",
            ["medianSeconds"] = Math.Round(report.Teardown.MedianSeconds, 3),
            ["worstSeconds"] = Math.Round(report.Teardown.WorstSeconds, 3),
            ["heldBy"] = Strings(report.Teardown.HeldBy),
        },
        ["leaks"] = Array(report.Leaks, leak => new JsonObject
        {
            ["kind"] = leak.Kind,
            ["what"] = leak.What,
            ["test"] = leak.Test,
            ["runs"] = leak.Runs,
        }),
        ["notDone"] = Strings(report.NotDone),
    }.ToJsonString(Format);

    private static JsonObject Test(TestReport test)
    {
        var (low, high) = Statistics.Wilson(test.Failures, test.Runs);
        var byLevel = new JsonObject();
        foreach (var (workers, (failures, runs)) in test.ByLevel)
            byLevel[$"{workers}"] = new JsonObject { ["failures"] = failures, ["runs"] = runs };
        return new()
        {
            ["name"] = test.Name,
            ["verdict"] = Words.Of(test.Verdict),
            ["cause"] = test.Cause,
            ["failures"] = test.Failures,
            ["runs"] = test.Runs,
            ["failureRate"] = test.Runs == 0 ? 0 : Math.Round((double)test.Failures / test.Runs, 6),
            ["interval95"] = new JsonArray(Math.Round(low, 6), Math.Round(high, 6)),
            ["provenBelow"] = test.Failures == 0 && test.Runs > 0 ? Math.Round(Statistics.ProvenBelow(test.Runs), 6) : null,
            ["byLevel"] = byLevel,
            ["evidence"] = Strings(test.Evidence),
            ["related"] = Strings(test.Related),
            ["reproduce"] = test.Reproduce,
            ["known"] = test.IsKnown,
            ["medianSeconds"] = Math.Round(test.MedianSeconds, 4),
            ["message"] = test.Failure?.Message,
            ["replay"] = test.Replay?.DeepClone(),
        };
    }

    private static JsonObject Run(RunReport run) => new()
    {
        ["assembly"] = Path.GetFileNameWithoutExtension(run.Assembly),
        ["workers"] = run.Record.Spec.Workers,
        ["iteration"] = run.Record.Spec.Iteration,
        ["outcome"] = Words.Of(run.Record.Outcome),
        ["exitCode"] = run.Record.ExitCode,
        ["seconds"] = Math.Round(run.Record.Seconds, 3),
        ["teardownSeconds"] = Math.Round(run.Record.TeardownSeconds, 3),
        ["missing"] = Strings(run.Missing),
        ["purpose"] = run.Record.Spec.Purpose,
        ["conditions"] = run.Record.Spec.Conditions.ToString(),
        ["failed"] = run.Record.Failures.Count,
        ["running"] = Strings(run.Running),
        ["explanation"] = run.Record.Explanation,
        ["folder"] = run.Record.Folder,
    };

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonObject> write)
        => new([.. items.Select(item => (JsonNode)write(item))]);

    private static JsonArray Strings(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)JsonValue.Create(text))]);
}
