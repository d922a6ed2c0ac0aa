using System.Collections.Concurrent;
using Npgsql;

namespace OrderService;

/// <summary>An order and whether it is paid.</summary>
public sealed record Order(string Id, string Item, bool IsPaid = false);

/// <summary>Where the service finds Kafka, and under which names.</summary>
public sealed record OrderSettings
{
    public string BootstrapServers { get; init; } = "127.0.0.1:9092";

    public string OrdersTopic { get; init; } = "orders";

    public string PaymentsTopic { get; init; } = "payments";

    public string GroupId { get; init; } = "order-service";

    /// <summary>librdkafka's own properties of the consumer.</summary>
    public Dictionary<string, string> Consumer { get; init; } = [];
}

/// <summary>Where orders are kept.</summary>
public interface IOrderStore
{
    Task<bool> AddAsync(Order order, CancellationToken stop);

    Task<Order?> FindAsync(string id, CancellationToken stop);

    Task MarkPaidAsync(string id, CancellationToken stop);
}

/// <summary>Orders in memory, for trying the service without a database.</summary>
internal sealed class MemoryOrders : IOrderStore
{
    private readonly ConcurrentDictionary<string, Order> _orders = new();

    public Task<bool> AddAsync(Order order, CancellationToken stop) => Task.FromResult(_orders.TryAdd(order.Id, order));

    public Task<Order?> FindAsync(string id, CancellationToken stop) => Task.FromResult(_orders.GetValueOrDefault(id));

    public Task MarkPaidAsync(string id, CancellationToken stop)
    {
        if (_orders.TryGetValue(id, out var order))
            _orders[id] = order with { IsPaid = true };
        return Task.CompletedTask;
    }
}

/// <summary>Orders in PostgreSQL.</summary>
internal sealed class DatabaseOrders(NpgsqlDataSource source) : IOrderStore, IAsyncDisposable
{
    public const string Schema = "CREATE TABLE orders (id text PRIMARY KEY, item text NOT NULL, is_paid boolean NOT NULL)";

    public async Task<bool> AddAsync(Order order, CancellationToken stop)
    {
        await using var command = source.CreateCommand("INSERT INTO orders VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        command.Parameters.Add(new() { Value = order.Id });
        command.Parameters.Add(new() { Value = order.Item });
        command.Parameters.Add(new() { Value = order.IsPaid });
        return await command.ExecuteNonQueryAsync(stop) == 1;
    }

    public async Task<Order?> FindAsync(string id, CancellationToken stop)
    {
        await using var command = source.CreateCommand("SELECT item, is_paid FROM orders WHERE id = $1");
        command.Parameters.Add(new() { Value = id });
        await using var rows = await command.ExecuteReaderAsync(stop);
        return await rows.ReadAsync(stop) ? new Order(id, rows.GetString(0), rows.GetBoolean(1)) : null;
    }

    public async Task MarkPaidAsync(string id, CancellationToken stop)
    {
        await using var command = source.CreateCommand("UPDATE orders SET is_paid = true WHERE id = $1");
        command.Parameters.Add(new() { Value = id });
        await command.ExecuteNonQueryAsync(stop);
    }

    public ValueTask DisposeAsync() => source.DisposeAsync();
}
