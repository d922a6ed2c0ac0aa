using System.Net;
using OrderService;
using Xunit;

namespace OrderTests;

public abstract class RefusalScenario : Scenario
{
    private protected RefusalScenario(IStage stage)
        : base(stage)
    {
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
