using System.Net;
using Xunit;

namespace OrderTests;

public abstract class RefundScenario : Scenario
{
    private protected RefundScenario(IStage stage)
        : base(stage)
    {
    }

    [Fact]
    public async Task A_refunded_order_is_unpaid_again()
    {
        var id = await PayAsync();

        await Stage.PayAsync(id, "refunded");

        await Stage.UntilAsync(id, order => !order.IsPaid);
    }

    [Fact]
    public async Task A_refunded_order_can_be_paid_again()
    {
        var id = await PayAsync();
        await Stage.PayAsync(id, "refunded");
        await Stage.UntilAsync(id, order => !order.IsPaid);

        await Stage.PayAsync(id, "paid");

        await Stage.UntilAsync(id, order => order.IsPaid);
    }

    [Fact]
    public async Task Payments_of_one_order_are_taken_in_their_order()
    {
        var id = await PlaceAsync();
        foreach (var payment in new[] { "paid", "refunded", "paid", "refunded" })
            await Stage.PayAsync(id, payment);

        await SettleAsync();

        Assert.False((await FindAsync(id))!.IsPaid);
    }

    [Fact]
    public async Task A_refund_leaves_other_orders_paid()
    {
        var (refunded, other) = (await PayAsync(), await PayAsync());

        await Stage.PayAsync(refunded, "refunded");

        await Stage.UntilAsync(refunded, order => !order.IsPaid);
        Assert.True((await FindAsync(other))!.IsPaid);
    }

    [Fact]
    public async Task A_refunded_order_can_be_cancelled_and_is_told_so()
    {
        var id = await PayAsync();
        await Stage.PayAsync(id, "refunded");
        await Stage.UntilAsync(id, order => !order.IsPaid);

        Assert.Equal(HttpStatusCode.NoContent, await CancelAsync(id));

        Assert.Equal(new Told(id, null), await Stage.NextAsync());
    }

    [Fact]
    public async Task A_refund_of_an_order_that_nobody_paid_changes_nothing()
    {
        var id = await PlaceAsync();
        await Stage.PayAsync(id, "refunded");

        await SettleAsync();

        Assert.False((await FindAsync(id))!.IsPaid);
    }

    [Fact]
    public async Task A_refund_of_nobodys_order_holds_up_none_behind_it()
    {
        var unknown = NewId();
        await Stage.PayAsync(unknown, "refunded");

        await SettleAsync();

        Assert.Equal(HttpStatusCode.NotFound, await LookAsync(unknown));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Each_of_several_orders_is_refunded(int count)
    {
        var ids = await PlaceAsync(count);
        foreach (var id in ids)
        {
            await Stage.PayAsync(id, "paid");
            await Stage.PayAsync(id, "refunded");
        }

        await SettleAsync();

        foreach (var id in ids)
            Assert.False((await FindAsync(id))!.IsPaid);
    }

    private async Task<string> PayAsync()
    {
        var id = await PlaceAsync();
        await Stage.PayAsync(id, "paid");
        await Stage.UntilAsync(id, order => order.IsPaid);
        return id;
    }
}
