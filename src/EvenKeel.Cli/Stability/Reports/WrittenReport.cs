using System.Text.Json;
using System.Text.Json.Nodes;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>A written report is a <c>report.json</c> of an earlier run, given to a command on its command line.</summary>
internal static class WrittenReport
{
    /// <summary>Reads a report.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="argument">Which argument that was, for the violation.</param>
    /// <returns>The report, or what is wrong with it.</returns>
    public static (JsonObject? Report, string? Violation) Read(string file, string argument)
    {
        if (!File.Exists(file))
            return (null, $"{argument} is '{file}', which does not exist: name a report.json of 'evenkeel stability'.");
        try
        {
            var report = JsonNode.Parse(File.ReadAllText(file)) as JsonObject;
            return report?["tests"] is JsonArray && report["runs"] is JsonArray && report["leaks"] is JsonArray
                && report["teardown"] is JsonObject
                ? (report, null)
                : (null, $"{argument} is '{file}', which is no report of 'evenkeel stability'.");
        }
        catch (JsonException wrong)
        {
            return (null, $"{argument} is '{file}', which is no report: {wrong.Message}");
        }
    }
}
