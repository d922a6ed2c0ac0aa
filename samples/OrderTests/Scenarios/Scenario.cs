using System.Net;
using System.Net.Http.Json;
using OrderService;
using Xunit;

namespace OrderTests;

/// <summary>A scenario is a class of tests of the order service, whatever the stage.</summary>
public abstract class Scenario : IAsyncLifetime
{
    private protected Scenario(IStage stage) => Stage = stage;

    private protected IStage Stage { get; }

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => Stage.OpenAsync();

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Stage.DisposeAsync();
    }

    private protected static string NewId(string of = "order") => $"{of}-{Guid.NewGuid():N}";

    private protected async Task<HttpStatusCode> PostAsync(Order order)
    {
        using var answer = await Stage.Http.PostAsJsonAsync("/orders", order, Cancellation);
        return answer.StatusCode;
    }

    private protected async Task<HttpStatusCode> CancelAsync(string id)
    {
        using var answer = await Stage.Http.DeleteAsync(new Uri($"/orders/{id}", UriKind.Relative), Cancellation);
        return answer.StatusCode;
    }

    private protected async Task<HttpStatusCode> LookAsync(string id)
    {
        using var answer = await Stage.Http.GetAsync(new Uri($"/orders/{id}", UriKind.Relative), Cancellation);
        return answer.StatusCode;
    }

    private protected Task<Order?> FindAsync(string id) => Stage.Http.GetFromJsonAsync<Order>($"/orders/{id}", Cancellation);

    private protected async Task<Order[]> ListAsync(string item) =>
        (await Stage.Http.GetFromJsonAsync<Order[]>($"/orders?item={item}", Cancellation))!;

    /// <summary>Places an order and sees it told.</summary>
    private protected async Task<string> PlaceAsync(string item = "keel", int quantity = 1)
    {
        var id = NewId();
        Assert.Equal(HttpStatusCode.Created, await PostAsync(new Order(id, item, quantity)));
        Assert.Equal(new Told(id, $"{quantity} x {item}"), await Stage.NextAsync());
        return id;
    }

    private protected async Task<string[]> PlaceAsync(int count, string item = "keel")
    {
        var ids = new string[count];
        for (var i = 0; i < count; i++)
            ids[i] = await PlaceAsync(item);
        return ids;
    }

    /// <summary>Payments of one topic are worked off in turn: once this one is, so are those before it.</summary>
    private protected async Task SettleAsync()
    {
        var last = await PlaceAsync("the last");
        await Stage.PayAsync(last, "paid");
        await Stage.UntilAsync(last, order => order.IsPaid);
    }
}
