using EvenKeel.Cli.Stability.Suites;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Suites;

public sealed class TestFilterTests
{
    private static readonly TestCase Test = new(0, "id", "Shop.OrderTests.Ships(count: 2)", "Shop.OrderTests", "Ships")
    {
        Traits = new Dictionary<string, IReadOnlyList<string>> { ["Category"] = ["Slow", "Nightly"] },
    };

    [Theory]
    [InlineData(null, true)]
    [InlineData("Order", true)]
    [InlineData("Shop.*Ships", true)]
    [InlineData("Invoice", false)]
    [InlineData("FullyQualifiedName~Order", true)]
    [InlineData("FullyQualifiedName=Shop.OrderTests.Ships", true)]
    [InlineData("Category=Slow", true)]
    [InlineData("Category!=Slow", false)]
    [InlineData("Category!~Fast", true)]
    [InlineData("Category=Fast|ClassName~Order", true)]
    [InlineData("Category=Fast&ClassName~Order", false)]
    [InlineData("(Category=Fast|Category=Nightly)&Name=Ships", true)]
    public void An_expression_is_understood_as_by_dotnet_test(string? expression, bool matches) =>
        Assert.Equal(matches, TestFilter.Parse(expression)(Test));

    [Theory]
    [InlineData("Category=")]
    [InlineData("(Category=Slow")]
    [InlineData("Category=Slow)")]
    public void What_is_not_understood_is_refused_with_the_place(string expression) =>
        Assert.Contains(expression, Assert.Throws<FormatException>(() => TestFilter.Parse(expression)).Message, StringComparison.Ordinal);
}
