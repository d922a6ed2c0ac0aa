using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Verdicts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>
/// <c>ctrf.json</c>: the report in the Common Test Report Format; what fails now and then is passed or failed, and flaky.
/// </summary>
internal static class CtrfReport
{
    public static string Write(StabilityReport report) => new JsonObject
    {
        ["reportFormat"] = "CTRF",
        ["specVersion"] = "0.0.0",
        ["results"] = new JsonObject
        {
            ["tool"] = new JsonObject { ["name"] = "evenkeel stability" },
            ["summary"] = new JsonObject
            {
                ["tests"] = report.Tests.Count,
                ["passed"] = report.Tests.Count(test => Status(test) == "passed"),
                ["failed"] = report.Tests.Count(test => Status(test) == "failed"),
                ["pending"] = 0,
                ["skipped"] = 0,
                ["other"] = report.Tests.Count(test => Status(test) == "other"),
                ["start"] = 0,
                ["stop"] = (long)(report.Seconds * 1000),
            },
            ["tests"] = new JsonArray([.. report.Tests.Select(Test)]),
        },
    }.ToJsonString();

    private static JsonNode Test(TestReport test) => new JsonObject
    {
        ["name"] = test.Name,
        ["status"] = Status(test),
        ["duration"] = (long)(test.MedianSeconds * 1000),
        ["suite"] = test.Class,
        ["flaky"] = test.IsUnstable,
        ["retries"] = Math.Max(0, test.Runs - 1),
        ["message"] = test.Failure?.Message,
        ["trace"] = test.Failure?.Stack,
        ["extra"] = new JsonObject { ["verdict"] = Words.Of(test.Verdict), ["cause"] = test.Cause, ["reproduce"] = test.Reproduce },
    };

    private static string Status(TestReport test) => test.Verdict switch
    {
        TestVerdict.Stable => "passed",
        TestVerdict.Infrastructure => "other",
        _ => "failed",
    };
}
