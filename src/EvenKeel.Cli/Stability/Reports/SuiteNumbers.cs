using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>The suite's numbers: how many tests of which kind, what they wait on, and what limits their speed in parallel.</summary>
internal static class SuiteNumbers
{
    public static JsonObject Of(IReadOnlyList<AssemblyStudy> studies, IReadOnlyList<TestReport> tests)
    {
        var cases = studies.SelectMany(study => study.Lab.Catalogue.Tests).ToList();
        var code = studies.Select(study => AssemblyCode.Read(study.Assembly.Path)).ToList();
        return new()
        {
            ["tests"] = cases.Count,
            ["skipped"] = studies.Sum(study => study.Lab.Runner.Skipped),
            ["asyncTests"] = cases.Count(test => test.IsAsync || code.Any(each => each.AsyncMethods.Contains(test.FullName))),
            ["classes"] = cases.Select(test => test.Class).Distinct().Count(),
            ["collections"] = cases.Select(test => test.Collection).Distinct().Count(),
            ["eventWaits"] = code.Sum(each => each.EventWaits),
            ["concurrentWaits"] = code.Sum(each => each.ConcurrentWaits),
            ["fixedDelays"] = code.Sum(each => each.FixedDelays),
            ["fixtures"] = new JsonArray([.. code.SelectMany(each => each.Fixtures).Select(fixture => (JsonNode)new JsonObject
            {
                ["type"] = fixture.Type,
                ["lifetime"] = fixture.Lifetime,
            })]),
            ["markers"] = Markers(cases),
            ["longestChain"] = LongestChain(studies, tests),
            ["assemblies"] = new JsonArray([.. studies.Select(study => (JsonNode)new JsonObject
            {
                ["path"] = study.Assembly.Path,
                ["framework"] = study.Assembly.Framework.ToString(),
                ["tests"] = study.Lab.Catalogue.Count,
            })]),
        };
    }

    private static JsonObject Markers(IEnumerable<TestCase> cases)
    {
        var markers = new JsonObject();
        foreach (var group in cases.SelectMany(test => test.Traits.SelectMany(trait => trait.Value.Select(value => $"{trait.Key}={value}")))
            .GroupBy(marker => marker).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            markers[group.Key] = group.Count();
        }
        return markers;
    }

    // Tests of one collection run one after another, whatever the number of workers: the longest of these chains limits the speed.
    private static JsonObject? LongestChain(IReadOnlyList<AssemblyStudy> studies, IReadOnlyList<TestReport> tests)
    {
        var at = 0;
        var chains = new List<(string Name, double Seconds, int Tests)>();
        foreach (var study in studies)
        {
            var own = study.Lab.Catalogue.Tests.Select((test, index) => (test, tests[at + index].MedianSeconds)).ToList();
            at += own.Count;
            chains.AddRange(own.GroupBy(each => each.test.Collection)
                .Select(chain => (chain.First().test.Class, chain.Sum(each => each.MedianSeconds), chain.Count())));
        }
        if (chains.Count == 0)
            return null;
        var longest = chains.MaxBy(chain => chain.Seconds);
        return new() { ["from"] = longest.Name, ["tests"] = longest.Tests, ["seconds"] = Math.Round(longest.Seconds, 3) };
    }
}
