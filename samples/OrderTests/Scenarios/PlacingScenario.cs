using System.Net;
using System.Net.Http.Json;
using OrderService;
using Xunit;

namespace OrderTests;

public abstract class PlacingScenario : Scenario
{
    private protected PlacingScenario(IStage stage)
        : base(stage)
    {
    }

    [Theory]
    [InlineData("keel", 1)]
    [InlineData("mast", 2)]
    [InlineData("sail", Order.MaxQuantity)]
    [InlineData("two words", 3)]
    [InlineData("Ruder für Jollen", 4)]
    public async Task An_order_is_told_with_its_item_and_quantity(string item, int quantity)
    {
        await PlaceAsync(item, quantity);

        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task An_order_placed_twice_is_told_once()
    {
        var id = await PlaceAsync();

        Assert.Equal(HttpStatusCode.Conflict, await PostAsync(new Order(id, "keel")));
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task A_second_order_of_the_same_item_is_told_as_well() =>
        Assert.NotEqual(await PlaceAsync("anchor"), await PlaceAsync("anchor"));

    [Fact]
    public async Task Orders_placed_at_once_are_each_told_once()
    {
        var ids = Enumerable.Range(0, 8).Select(_ => NewId()).ToArray();

        var answers = await Task.WhenAll(ids.Select(id => PostAsync(new Order(id, "keel"))));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Created, answer));
        var told = new List<string>();
        foreach (var _ in ids)
            told.Add((await Stage.NextAsync()).Id);
        Assert.Equal(ids.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task Orders_placed_one_after_the_other_are_told_in_that_order()
    {
        var ids = Enumerable.Range(0, 5).Select(_ => NewId()).ToArray();
        foreach (var id in ids)
            await PostAsync(new Order(id, "keel"));

        foreach (var id in ids)
            Assert.Equal(id, (await Stage.NextAsync()).Id);
    }

    [Fact]
    public async Task The_answer_names_where_the_order_is()
    {
        var id = NewId();

        using var answer = await Stage.Http.PostAsJsonAsync("/orders", new Order(id, "keel"), Cancellation);

        Assert.Equal($"/orders/{id}", answer.Headers.Location?.ToString());
        Assert.Equal(id, (await Stage.NextAsync()).Id);
    }
}
