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
    public async Task Orders_placed_one_after_the_other_are_all_told()
    {
        var ids = Enumerable.Range(0, 5).Select(_ => NewId()).ToArray();
        foreach (var id in ids)
            await PostAsync(new Order(id, "keel"));

        var told = new List<string>();
        foreach (var _ in ids)
            told.Add((await Stage.NextAsync()).Id);
        Assert.Equal(ids.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_answer_names_where_the_order_is()
    {
        var id = NewId();

        using var answer = await Stage.Http.PostAsJsonAsync("/orders", new Order(id, "keel"), Cancellation);

        Assert.Equal($"/orders/{id}", answer.Headers.Location?.ToString());
        Assert.Equal(id, (await Stage.NextAsync()).Id);
    }

    [Theory]
    [InlineData("", "keel", 1)]
    [InlineData(null, "keel", 1)]
    [InlineData("more than 64 characters, as somebody once had when an id was a text", "keel", 1)]
    [InlineData("without-item", "", 1)]
    [InlineData("without-item", null, 1)]
    [InlineData("nothing", "keel", 0)]
    [InlineData("too-much", "keel", Order.MaxQuantity + 1)]
    [InlineData("paid-before-it-is-placed", "keel", 1, true)]
    public async Task An_order_that_cannot_be_is_refused_and_not_told(string? id, string? item, int quantity, bool isPaid = false)
    {
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(new Order(id!, item!, quantity, isPaid)));
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task A_body_that_is_no_order_is_refused_and_not_told()
    {
        using var body = new StringContent("{", null, "application/json");
        using var answer = await Stage.Http.PostAsync(new Uri("/orders", UriKind.Relative), body, Cancellation);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task A_refused_order_can_be_placed_when_it_is_put_right()
    {
        var id = NewId();
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(new Order(id, "keel", -1)));
        Assert.Equal(HttpStatusCode.NotFound, await LookAsync(id));

        Assert.Equal(HttpStatusCode.Created, await PostAsync(new Order(id, "keel")));

        Assert.Equal(new Told(id, "1 x keel"), await Stage.NextAsync());
    }
}
