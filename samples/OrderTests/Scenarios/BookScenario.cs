using System.Net;
using OrderService;
using Xunit;

namespace OrderTests;

/// <summary>What becomes of an order in the book: it is found, listed, cancelled.</summary>
public abstract class BookScenario : Scenario
{
    private protected BookScenario(IStage stage)
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

    [Fact]
    public async Task A_cancelled_order_is_told_without_text()
    {
        var id = await PlaceAsync();

        Assert.Equal(HttpStatusCode.NoContent, await CancelAsync(id));

        Assert.Equal(new Told(id, null), await Stage.NextAsync());
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task A_cancelled_order_is_found_as_cancelled()
    {
        var id = await PlaceAsync();

        await CancelAsync(id);

        Assert.True((await FindAsync(id))!.IsCancelled);
    }

    [Fact]
    public async Task An_order_cancelled_twice_is_told_once()
    {
        var id = await PlaceAsync();
        Assert.Equal(HttpStatusCode.NoContent, await CancelAsync(id));
        Assert.Equal(new Told(id, null), await Stage.NextAsync());

        Assert.Equal(HttpStatusCode.Conflict, await CancelAsync(id));

        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task Nobodys_order_cannot_be_cancelled()
    {
        Assert.Equal(HttpStatusCode.NotFound, await CancelAsync(NewId()));
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task Cancelling_leaves_other_orders_alone()
    {
        var (cancelled, other) = (await PlaceAsync(), await PlaceAsync());

        await CancelAsync(cancelled);

        Assert.False((await FindAsync(other))!.IsCancelled);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Each_of_several_cancelled_orders_is_told_once(int count)
    {
        var ids = await PlaceAsync(count);

        await Task.WhenAll(ids.Select(CancelAsync));

        var told = new List<Told>();
        foreach (var _ in ids)
            told.Add(await Stage.NextAsync());
        Assert.Equal(
            ids.Order(StringComparer.Ordinal).Select(id => new Told(id, null)), told.OrderBy(one => one.Id, StringComparer.Ordinal));
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task A_cancelled_order_cannot_be_placed_again()
    {
        var id = await PlaceAsync();
        await CancelAsync(id);

        Assert.Equal(HttpStatusCode.Conflict, await PostAsync(new Order(id, "keel")));
    }

    [Fact]
    public async Task An_order_is_told_before_its_cancelling()
    {
        var id = NewId();
        await PostAsync(new Order(id, "keel"));
        await CancelAsync(id);

        Assert.Equal(new Told(id, "1 x keel"), await Stage.NextAsync());
        Assert.Equal(new Told(id, null), await Stage.NextAsync());
    }
}
