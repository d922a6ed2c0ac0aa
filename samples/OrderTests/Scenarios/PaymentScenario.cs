using System.Net;
using Xunit;

namespace OrderTests;

public abstract class PaymentScenario : Scenario
{
    private protected PaymentScenario(IStage stage)
        : base(stage)
    {
    }

    [Fact]
    public async Task A_payment_marks_its_order_as_paid()
    {
        var id = await PlaceAsync();

        await Stage.PayAsync(id, "paid");

        Assert.Equal(1, (await Stage.UntilAsync(id, order => order.IsPaid)).Quantity);
    }

    [Fact]
    public async Task A_payment_leaves_other_orders_unpaid()
    {
        var (paid, other) = (await PlaceAsync(), await PlaceAsync());

        await Stage.PayAsync(paid, "paid");

        await Stage.UntilAsync(paid, order => order.IsPaid);
        Assert.False((await FindAsync(other))!.IsPaid);
    }

    [Fact]
    public async Task An_order_paid_twice_is_paid()
    {
        var id = await PlaceAsync();
        await Stage.PayAsync(id, "paid");
        await Stage.PayAsync(id, "paid");

        await SettleAsync();

        Assert.True((await FindAsync(id))!.IsPaid);
    }

    [Fact]
    public async Task A_payment_of_nobodys_order_holds_up_none_behind_it()
    {
        var unknown = NewId();
        await Stage.PayAsync(unknown, "paid");

        await SettleAsync();

        Assert.Equal(HttpStatusCode.NotFound, await LookAsync(unknown));
    }

    [Fact]
    public async Task A_message_that_is_no_payment_changes_nothing()
    {
        var id = await PlaceAsync();
        await Stage.PayAsync(id, "perhaps");

        await SettleAsync();

        Assert.False((await FindAsync(id))!.IsPaid);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(10)]
    public async Task Each_of_several_orders_is_paid(int count)
    {
        var ids = await PlaceAsync(count);
        foreach (var id in ids)
            await Stage.PayAsync(id, "paid");

        foreach (var id in ids)
            await Stage.UntilAsync(id, order => order.IsPaid);
    }

    [Fact]
    public async Task A_paid_order_cannot_be_cancelled()
    {
        var id = await PlaceAsync();
        await Stage.PayAsync(id, "paid");
        await Stage.UntilAsync(id, order => order.IsPaid);

        Assert.Equal(HttpStatusCode.Conflict, await CancelAsync(id));
        Assert.True(await Stage.HasToldNothingElseAsync());
    }

    [Fact]
    public async Task A_payment_of_a_cancelled_order_changes_nothing()
    {
        var id = await PlaceAsync();
        Assert.Equal(HttpStatusCode.NoContent, await CancelAsync(id));
        Assert.Equal(new Told(id, null), await Stage.NextAsync());
        await Stage.PayAsync(id, "paid");

        await SettleAsync();

        Assert.False((await FindAsync(id))!.IsPaid);
    }
}
