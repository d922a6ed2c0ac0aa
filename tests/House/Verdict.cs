using System.Globalization;
using System.Text;

namespace House;

/// <summary>
/// A verdict is what remains of a rule's violations after the departures, and the departures that nothing needs any more.
/// </summary>
internal static class Verdict
{
    public static IReadOnlyList<Violation> On(Rule rule, Repository repository, IReadOnlyList<Departure> departures)
    {
        var found = rule.Find(repository).ToList();
        var mine = departures.Where(departure => departure.Rule == rule.Id).ToList();
        var stale = mine
            .Where(departure => !found.Any(departure.Covers))
            .Select(departure => new Violation(
                "tests/House/Departures.cs",
                1,
                departure.Place,
                $"the departure for {departure.Place}{(departure.Member is null ? "" : ":" + departure.Member)} is no longer needed: "
                    + "delete it"));
        return [.. found.Where(violation => !mine.Any(departure => departure.Covers(violation))).Concat(stale)];
    }

    public static string Describe(Rule rule, IReadOnlyList<Violation> violations)
    {
        var message = new StringBuilder().AppendLine(
            CultureInfo.InvariantCulture, $"{violations.Count} violation(s) of '{rule.Id}'. Instead: {rule.Advice}");
        foreach (var violation in violations)
        {
            message.AppendLine(CultureInfo.InvariantCulture, $"  {violation}");
        }

        return message.ToString();
    }
}
