using System.Net.Http.Json;
using EvenKeel.Testing.Synchronization;
using EvenKeel.Testing.Topics;
using EvenKeel.Testing.XunitV3;
using OrderService;
using Xunit;

namespace OrderTests;

/// <summary>A stage of what the test's worker has.</summary>
internal sealed class WorkerStage(OrderHost host) : IStage
{
    private TestConsumer? _orders;
    private HttpClient? _http;

    public HttpClient Http => _http!;

    public async ValueTask OpenAsync()
    {
        _http = await host.HttpAsync();
        _orders = await KafkaKit.ConsumerAsync(await KafkaKit.TopicAsync("orders"));
    }

    public async Task<Told> NextAsync()
    {
        var record = await _orders!.ReceiveAsync();
        return new Told(record.Key!, record.Value);
    }

    public async Task<bool> HasToldNothingElseAsync() => (await _orders!.ReceiveToEndAsync()).Count == 0;

    public async Task PayAsync(string id, string payment) =>
        await KafkaKit.ProduceAsync(await KafkaKit.TopicAsync("payments"), id, payment);

    public async Task<Order> UntilAsync(string id, Func<Order, bool> condition) => (await WaitFor.AnswerAsync(
        () => Http.GetFromJsonAsync<Order>($"/orders/{id}", TestContext.Current.CancellationToken),
        order => order is not null && condition(order), $"the order {id}"))!;

    public ValueTask DisposeAsync()
    {
        _http?.Dispose();
        return ValueTask.CompletedTask;
    }
}
