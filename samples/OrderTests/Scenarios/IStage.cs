using OrderService;

namespace OrderTests;

/// <summary>A stage is what one test plays on: the service, running, and the other ends of its topics.</summary>
public interface IStage : IAsyncDisposable
{
    HttpClient Http { get; }

    ValueTask OpenAsync();

    /// <summary>What the service tells next about an order.</summary>
    Task<Told> NextAsync();

    /// <summary>The service has told nothing else.</summary>
    Task<bool> HasToldNothingElseAsync();

    Task PayAsync(string id, string payment);

    /// <summary>The order, once it is as the test wants it.</summary>
    Task<Order> UntilAsync(string id, Func<Order, bool> condition);
}

/// <summary>What the service told about an order: its id, and its text or, when it was cancelled, nothing.</summary>
public sealed record Told(string Id, string? Text);
