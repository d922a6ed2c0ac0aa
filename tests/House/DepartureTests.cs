using Xunit;

namespace House;

/// <summary>The list of exceptions is judged too: each has a reason, names a rule, and goes when nothing needs it.</summary>
public sealed class DepartureTests
{
    private static readonly Rule Shouting = Rule.ForSources(
        "shouting", "lower your voice", source => source.Root.ToString().Contains('!') ? [source.At(source.Root, "shouts")] : []);

    private static readonly Departure Excused = new("shouting", "src/A.cs", null, "this one is allowed to shout");

    [Fact]
    public void A_departure_excuses_the_place_it_names() =>
        Assert.Empty(Verdict.On(Shouting, Repository.Of(("src/A.cs", "var a = !b;")), [Excused]));

    [Fact]
    public void A_departure_excuses_no_other_place() =>
        Assert.Equal("src/B.cs:1: shouts", Verdict.On(
            Shouting, Repository.Of(("src/A.cs", "var a = !b;"), ("src/B.cs", "var a = !b;")), [Excused]).Single().ToString());

    [Fact]
    public void A_departure_for_one_member_excuses_no_other_member()
    {
        var violation = new Violation("src/A.cs", 3, "Close", "shouts");

        Assert.True((Excused with { Member = "Close" }).Covers(violation));
        Assert.False((Excused with { Member = "Open" }).Covers(violation));
    }

    [Fact]
    public void A_departure_that_nothing_needs_is_a_violation() =>
        Assert.Contains("no longer needed", Verdict.On(Shouting, Repository.Of(("src/A.cs", "var a = b;")), [Excused]).Single().Text);

    [Fact]
    public void Every_departure_names_a_rule_and_a_reason()
    {
        var ids = HouseRules.All.Select(rule => rule.Id).ToHashSet();

        Assert.All(Departures.All, departure =>
        {
            Assert.Contains(departure.Rule, ids);
            Assert.True(departure.Reason.Split(' ').Length >= 5, $"{departure}: the reason is too short to convince anybody");
        });
    }

    [Fact]
    public void A_failure_names_the_file_the_line_and_what_to_do_instead()
    {
        var message = Verdict.Describe(Shouting, [new("src/A.cs", 7, "", "shouts"), new("src/B.cs", 9, "", "shouts")]);

        Assert.Contains("lower your voice", message);
        Assert.Contains("src/A.cs:7: shouts", message);
        Assert.Contains("src/B.cs:9: shouts", message);
    }
}
