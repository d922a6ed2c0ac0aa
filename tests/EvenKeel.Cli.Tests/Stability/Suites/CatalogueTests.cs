using EvenKeel.Cli.Stability.Suites;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Suites;

public sealed class CatalogueTests
{
    [Fact]
    public void Tests_that_share_id_and_name_are_one_that_reports_so_many_times_and_those_that_share_a_name_are_numbered()
    {
        var catalogue = Catalogue.Of(
        [
            new(0, "C|Twice", "C.Twice", "C", "One"), new(1, "C|Other", "C.Other", "C", "Other"), new(2, "C|Twice", "C.Twice", "C", "Two"),
            new(3, "id", "C.Other", "C", "Third"),
        ]);

        Assert.Equal(["C.Twice", "C.Other", "C.Other (#2)"], catalogue.Tests.Select(test => test.Name));
        Assert.Equal([2, 1, 1], catalogue.Tests.Select(test => test.Times));
        Assert.Equal([0, 1, 2], catalogue.Tests.Select(test => test.Index));
    }
}
