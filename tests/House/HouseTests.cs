using Xunit;

namespace House;

/// <summary>Judges the checkout by every rule, and every rule by its plants: a check that cannot fail is no check.</summary>
public sealed class HouseTests
{
    public static TheoryData<string> RuleIds => [.. HouseRules.All.Select(rule => rule.Id)];

    public static TheoryData<string> PlantNames => [.. HouseRules.Plants.Select(plant => plant.ToString())];

    [Theory]
    [MemberData(nameof(RuleIds))]
    public void The_repository_keeps_the_rule(string ruleId)
    {
        var rule = HouseRules.All.Single(rule => rule.Id == ruleId);

        var violations = Verdict.On(rule, Repository.Checkout, Departures.All);

        Assert.True(violations.Count == 0, Verdict.Describe(rule, violations));
    }

    [Theory]
    [MemberData(nameof(PlantNames))]
    public void The_rule_tells_a_planted_violation_from_its_innocent_neighbour(string plantName)
    {
        var plant = HouseRules.Plants.Single(plant => plant.ToString() == plantName);
        var rule = HouseRules.All.Single(rule => rule.Id == plant.Rule);

        var violations = Verdict.On(rule, Repository.Of(plant.Files), []);

        Assert.True(
            plant.Lines.SequenceEqual(violations.Select(violation => violation.Line)),
            $"expected the lines [{string.Join(", ", plant.Lines)}]\n{Verdict.Describe(rule, violations)}");
    }

    [Fact]
    public void Every_rule_has_a_planted_violation_and_an_innocent_neighbour()
    {
        var unproven = HouseRules.All
            .Where(rule => !HouseRules.Plants.Any(plant => plant.Rule == rule.Id && plant.Lines.Count > 0)
                || !HouseRules.Plants.Any(plant => plant.Rule == rule.Id && plant.Lines.Count == 0))
            .Select(rule => rule.Id);

        Assert.Empty(unproven);
    }

    [Fact]
    public void The_checkout_is_seen_whole()
    {
        Assert.Contains(Repository.Checkout.Sources, source => source.Path == "tests/House/HouseTests.cs");
        Assert.Contains(Repository.Checkout.Projects, project => project.Name == "EvenKeel.Queue");
        Assert.DoesNotContain(Repository.Checkout.Paths, path => path.Contains("/obj/", StringComparison.Ordinal));
    }
}
