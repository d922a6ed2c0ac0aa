using System.Net;
using System.Net.Http.Json;
using EvenKeel.Testing.PostgreSql;
using EvenKeel.Testing.Synchronization;
using EvenKeel.Testing.XunitV3;
using Microsoft.AspNetCore.Mvc.Testing;
using Npgsql;
using OrderService;
using Xunit;

[assembly: UseKafkaKit]

namespace EvenKeel.Testing.AspNetCore.Tests;

/// <summary>The service of a class: made once, on the class's worker, and gone with it.</summary>
public sealed class OrdersOnAWorker : IAsyncLifetime
{
    private const string Variable = "EVENKEEL_POSTGRES";

    private static readonly Lazy<TestDatabases?> Databases = new(() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } server
            ? new TestDatabases(KafkaKit.Run, server, "orders", MakeSchemaAsync)
            : null);

    private readonly WebApplicationFactory<Order> _plain = new();
    private WebApplicationFactory<Order>? _service;

    public HttpClient Http => _service!.CreateClient();

    public async ValueTask InitializeAsync()
    {
        var worker = KafkaKit.Worker;
        var database = Databases.Value is { } databases ? await databases.ForAsync(worker) : null;
        _service = await _plain.OnWorkerAsync(worker, service =>
        {
            service.BootstrapServers("Kafka:BootstrapServers").ConsumerProperties("Kafka:Consumer")
                .Topic("Kafka:OrdersTopic", "orders").Topic("Kafka:PaymentsTopic", "payments").Group("Kafka:GroupId", "payments")
                .Value("Logging:LogLevel:Default", "Warning");
            if (database is not null)
                service.Value("ConnectionStrings:Orders", database);
        });

        // It is the worker's: where one class follows the other on the same worker, it still has that one's orders.
        if (database is not null)
            await EmptyAsync(database);
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is not null)
            await _service.DisposeAsync();
        await _plain.DisposeAsync();
    }

    private static async Task EmptyAsync(string database)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("TRUNCATE orders", connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task MakeSchemaAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(OrderSchema.Sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}

public sealed class PlacingTests(OrdersOnAWorker service) : OrderTests(service);

public sealed class PlacingBesideTests(OrdersOnAWorker service) : OrderTests(service);

/// <summary>Twice, side by side, with the same ids: what one class does the other must not see.</summary>
[KafkaTest]
public abstract class OrderTests : IClassFixture<OrdersOnAWorker>
{
    private readonly OrdersOnAWorker _service;

    private protected OrderTests(OrdersOnAWorker service) => _service = service;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_order_is_stored_and_told_once_on_this_workers_topic()
    {
        var consumer = await KafkaKit.ConsumerAsync(await KafkaKit.TopicAsync("orders"));

        using var first = await _service.Http.PostAsJsonAsync("/orders", new Order("order-1", "keel"), Cancellation);
        using var again = await _service.Http.PostAsJsonAsync("/orders", new Order("order-1", "keel"), Cancellation);

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.Conflict), (first.StatusCode, again.StatusCode));
        var told = await consumer.ReceiveAsync();
        Assert.Equal(("order-1", "1 x keel"), (told.Key, told.Value));
        Assert.Empty(await consumer.ReceiveToEndAsync());
    }

    [Fact]
    public async Task A_payment_on_this_workers_topic_marks_its_order_as_paid()
    {
        var http = _service.Http;
        using var placed = await http.PostAsJsonAsync("/orders", new Order("order-2", "mast"), Cancellation);

        await KafkaKit.ProduceAsync(await KafkaKit.TopicAsync("payments"), "order-2", "paid");

        await WaitFor.AnswerAsync(
            () => http.GetFromJsonAsync<Order>("/orders/order-2", Cancellation), order => order is { IsPaid: true }, "the payment");
    }
}
