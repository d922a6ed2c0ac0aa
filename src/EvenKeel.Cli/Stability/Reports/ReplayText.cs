using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>
/// A replay's text is a run's specification as it lies in the report: by the ids of tests, so that it holds after a rebuild.
/// </summary>
internal static class ReplayText
{
    public static JsonObject Write(TestAssembly assembly, Catalogue catalogue, RunSpec spec)
    {
        var conditions = spec.Conditions;
        var natural = spec.Order.Count == catalogue.Count && spec.Order.SequenceEqual(Enumerable.Range(0, catalogue.Count));
        return new()
        {
            ["assembly"] = assembly.Path,
            ["project"] = assembly.Project,
            ["workers"] = spec.Workers,
            ["purpose"] = spec.Purpose,
            ["order"] = natural ? null : new JsonArray([.. spec.Order.Select(test => JsonValue.Create(catalogue[test].Id))]),
            ["all"] = natural ? new JsonArray([.. catalogue.Tests.Select(test => JsonValue.Create(test.Id))]) : null,
            ["noise"] = conditions.Noise,
            ["oneProcessor"] = conditions.OneProcessor,
            ["processorCount"] = conditions.ProcessorCount,
            ["culture"] = conditions.Culture,
            ["timeZone"] = conditions.TimeZone,
            ["limitSeconds"] = spec.Limit?.TotalSeconds,
        };
    }

    /// <summary>The specification again; null when the assembly lacks tests that it names, which come back by id.</summary>
    public static (RunSpec? Spec, IReadOnlyList<string> Lost) Read(JsonObject text, Catalogue catalogue)
    {
        var ids = (text["order"] ?? text["all"])!.AsArray().Select(id => id!.GetValue<string>()).ToList();
        var lost = ids.Where(id => catalogue.Find(id) < 0).ToList();
        if (lost.Count > 0)
            return (null, lost);
        var conditions = new RunConditions
        {
            Noise = text["noise"]?.GetValue<bool>() ?? false,
            OneProcessor = text["oneProcessor"]?.GetValue<bool>() ?? false,
            ProcessorCount = text["processorCount"]?.GetValue<int>(),
            Culture = text["culture"]?.GetValue<string>(),
            TimeZone = text["timeZone"]?.GetValue<string>(),
        };
        return (new(text["workers"]!.GetValue<int>(), [.. ids.Select(catalogue.Find)], conditions)
        {
            Purpose = text["purpose"]?.GetValue<string>() ?? "replay",
            Limit = text["limitSeconds"]?.GetValue<double>() is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        }, []);
    }
}
