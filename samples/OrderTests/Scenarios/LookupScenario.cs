using System.Net;
using OrderService;
using Xunit;

namespace OrderTests;

public abstract class LookupScenario : Scenario
{
    private protected LookupScenario(IStage stage)
        : base(stage)
    {
    }

    [Fact]
    public async Task An_order_is_found_as_it_was_placed()
    {
        var id = await PlaceAsync("mast", 7);

        Assert.Equal(new Order(id, "mast", 7), await FindAsync(id));
    }

    [Fact]
    public async Task Nobodys_order_is_not_found() => Assert.Equal(HttpStatusCode.NotFound, await LookAsync(NewId()));

    [Fact]
    public async Task An_item_that_nobody_ordered_has_no_orders() => Assert.Empty(await ListAsync(NewId("item")));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(12)]
    public async Task All_orders_of_an_item_are_listed_by_their_ids(int count)
    {
        var item = NewId("item");
        var ids = await PlaceAsync(count, item);

        Assert.Equal(ids.Order(StringComparer.Ordinal), (await ListAsync(item)).Select(order => order.Id));
    }

    [Fact]
    public async Task Orders_of_other_items_are_not_listed()
    {
        var item = NewId("item");
        await PlaceAsync(NewId("item"));
        var id = await PlaceAsync(item);

        Assert.Equal(id, Assert.Single(await ListAsync(item)).Id);
    }

    [Fact]
    public async Task A_cancelled_order_is_listed_as_cancelled()
    {
        var item = NewId("item");
        await CancelAsync(await PlaceAsync(item));

        Assert.True(Assert.Single(await ListAsync(item)).IsCancelled);
    }

    [Fact]
    public async Task A_refused_order_is_not_listed()
    {
        var item = NewId("item");
        await PostAsync(new Order(NewId(), item, 0));

        Assert.Empty(await ListAsync(item));
    }
}
