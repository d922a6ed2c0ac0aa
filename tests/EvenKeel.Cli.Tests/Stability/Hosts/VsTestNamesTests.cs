using EvenKeel.Cli.Stability.Hosts;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Hosts;

public sealed class VsTestNamesTests
{
    [Fact]
    public void Rows_of_a_theory_share_their_full_name_and_names_without_a_class_get_theirs()
    {
        var tests = VsTestNames.Join(
            ["Passes", "Takes_rows (1)", "Takes_rows (2)", "Passes"], ["Shop.A.Passes", "Shop.A.Takes_rows", "Shop.B.Passes"]);

        Assert.Equal(["Shop.A.Passes", "Shop.A.Takes_rows (1)", "Shop.A.Takes_rows (2)", "Shop.B.Passes"], tests.Select(test => test.Name));
        Assert.Equal("Shop.A.Takes_rows", tests[2].VsTestName);
        Assert.Equal("Shop.B|Passes", tests[3].Id);
    }

    [Fact]
    public void Arguments_with_dots_are_no_part_of_the_class()
    {
        var test = Assert.Single(VsTestNames.Join(["Reads(\"a.b\", 1.5)"], ["Shop.A.Reads(\"a.b\", 1.5)"]));

        Assert.Equal(("Shop.A", "Reads"), (test.Class, test.Method));
    }

    [Fact]
    public void A_name_of_its_own_takes_the_next_full_name()
    {
        var tests = VsTestNames.Join(["Shop.A.One", "ships in time", "Shop.A.Three"], ["Shop.A.One", "Shop.A.Two", "Shop.A.Three"]);

        Assert.Equal(["One", "Two", "Three"], tests.Select(test => test.Method));
    }

    [Theory]
    [InlineData("Odd(\"\u001b[31m\")", "Odd(\"\\u001b[31m\")")]
    [InlineData("Odd(\"\U0001F389\")", "Odd(\"\\ud83c\\udf89\")")]
    public void A_name_that_xml_cannot_hold_is_the_one_that_the_result_file_wrote_out(string listed, string written) =>
        Assert.Equal(VsTestNames.Id("Shop.A", listed), VsTestNames.Id("Shop.A", written));
}
