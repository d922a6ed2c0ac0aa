using System.Net.Http.Json;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.AspNetCore.Mvc.Testing;
using OrderService;
using Xunit;

namespace OrderTests;

/// <summary>A stage on which everything is fresh for each test: topics, consumer, group, producer, service.</summary>
internal sealed class FreshStage(OrdersDatabase database) : IStage
{
    private const string Variable = "EVENKEEL_BOOTSTRAP_SERVERS";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly string _orders = $"orders-{Guid.NewGuid():N}";
    private readonly string _payments = $"payments-{Guid.NewGuid():N}";
    private WebApplicationFactory<Order>? _plain;
    private WebApplicationFactory<Order>? _service;
    private IConsumer<string, string>? _consumer;
    private IProducer<string, string>? _producer;
    private HttpClient? _http;

    public HttpClient Http => _http!;

    private static string Servers => Environment.GetEnvironmentVariable(Variable) ?? "";

    /// <summary>An embedded broker knows no requests of admins: it makes a topic when somebody asks for it.</summary>
    private static bool HasAdmin => Environment.GetEnvironmentVariable("ORDER_TESTS_TOPICS_ON_USE") is null;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask OpenAsync()
    {
        Assert.SkipWhen(Servers.Length == 0, $"No broker: {Variable} is not set to its host:port.");
        var orders = database.ConnectionString;
        await MakeTopicsAsync();
        _producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = Servers }).Build();
        _consumer = new ConsumerBuilder<string, string>(new ConsumerConfig(Timeouts.OfConsumers)
        {
            BootstrapServers = Servers,
            GroupId = $"test-{Guid.NewGuid():N}",
            AutoOffsetReset = AutoOffsetReset.Earliest,
        }).Build();
        _consumer.Subscribe(_orders);
        _plain = new WebApplicationFactory<Order>();
        _service = _plain.WithWebHostBuilder(service =>
        {
            service.UseSetting("Kafka:BootstrapServers", Servers);
            service.UseSetting("Kafka:OrdersTopic", _orders);
            service.UseSetting("Kafka:PaymentsTopic", _payments);
            service.UseSetting("Kafka:GroupId", $"payments-{Guid.NewGuid():N}");
            foreach (var (name, value) in Timeouts.OfConsumers)
                service.UseSetting($"Kafka:Consumer:{name}", value);
            service.UseSetting("ConnectionStrings:Orders", orders);
            service.UseSetting("Logging:LogLevel:Default", "Critical");
        });
        _http = _service.CreateClient();
    }

    public async Task<Told> NextAsync()
    {
        var record = await Task.Run(() => _consumer!.Consume(Limit), Cancellation);
        Assert.True(record is not null, $"Nothing came within {Limit}.");
        return new Told(record.Message.Key, record.Message.Value);
    }

    /// <summary>A consumer that has no partition yet sees nothing, whatever was told.</summary>
    public async Task<bool> HasToldNothingElseAsync() => await Task.Run(() =>
    {
        using var limit = new CancellationTokenSource(Limit);
        while (_consumer!.Assignment.Count == 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            if (_consumer.Consume(TimeSpan.FromMilliseconds(100)) is not null)
                return false;
        }
        return _consumer.Consume(Silence) is null;
    }, Cancellation);

    public async Task PayAsync(string id, string payment) =>
        await _producer!.ProduceAsync(_payments, new Message<string, string> { Key = id, Value = payment }, Cancellation);

    public async Task<Order> UntilAsync(string id, Func<Order, bool> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Limit);
        while (true)
        {
            if (await Http.GetFromJsonAsync<Order>($"/orders/{id}", limit.Token) is { } order && condition(order))
                return order;
            await Task.Delay(100, limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (_service is not null)
            await _service.DisposeAsync();
        if (_plain is not null)
            await _plain.DisposeAsync();
        _producer?.Dispose();
        if (_consumer is not null)
        {
            // Close can hang for good: then this test fails and not the whole run.
            await Task.Run(() =>
            {
                _consumer.Close();
                _consumer.Dispose();
            }, CancellationToken.None).WaitAsync(Limit);
        }
        await DeleteTopicsAsync();
    }

    private async Task MakeTopicsAsync()
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Servers }).Build();
        if (HasAdmin)
        {
            await admin.CreateTopicsAsync(
                [new TopicSpecification { Name = _orders, NumPartitions = 1 }, new TopicSpecification { Name = _payments, NumPartitions = 1 }]);
            return;
        }
        admin.GetMetadata(_orders, Limit);
        admin.GetMetadata(_payments, Limit);
    }

    private async Task DeleteTopicsAsync()
    {
        if (_consumer is null || !HasAdmin)
            return;
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Servers }).Build();
        await admin.DeleteTopicsAsync([_orders, _payments]);
    }
}
