using Npgsql;

namespace OrderService;

/// <summary>An order, whether it is paid, and whether it was cancelled.</summary>
public sealed record Order(string Id, string Item, int Quantity = 1, bool IsPaid = false, bool IsCancelled = false)
{
    public const int MaxQuantity = 1000;

    /// <summary>What is wrong with it as somebody places it; null if nothing is.</summary>
    public string? Refusal => this switch
    {
        { Id: null or "" } => "An order needs an id.",
        { Id.Length: > 64 } => "An order's id has at most 64 characters.",
        { Item: null or "" } => "An order needs an item.",
        { Quantity: < 1 or > MaxQuantity } => $"The quantity is {Quantity}; it can be 1 to {MaxQuantity}.",
        { IsPaid: true } or { IsCancelled: true } => "A new order is neither paid nor cancelled.",
        _ => null,
    };
}

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

    Task<IReadOnlyList<Order>> ListAsync(string item, CancellationToken stop);

    Task SetPaidAsync(string id, bool isPaid, CancellationToken stop);

    /// <returns>False if it is paid, cancelled already, or not there.</returns>
    Task<bool> CancelAsync(string id, CancellationToken stop);
}

/// <summary>Orders in memory, for trying the service without a database.</summary>
internal sealed class MemoryOrders : IOrderStore
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Dictionary<string, Order> _orders = [];

    public Task<bool> AddAsync(Order order, CancellationToken stop)
    {
        lock (_gate)
            return Task.FromResult(_orders.TryAdd(order.Id, order));
    }

    public Task<Order?> FindAsync(string id, CancellationToken stop)
    {
        lock (_gate)
            return Task.FromResult(_orders.GetValueOrDefault(id));
    }

    public Task<IReadOnlyList<Order>> ListAsync(string item, CancellationToken stop)
    {
        lock (_gate)
            return Task.FromResult<IReadOnlyList<Order>>(
                [.. _orders.Values.Where(order => order.Item == item).OrderBy(order => order.Id, StringComparer.Ordinal)]);
    }

    public Task SetPaidAsync(string id, bool isPaid, CancellationToken stop)
    {
        lock (_gate)
        {
            if (_orders.TryGetValue(id, out var order) && !order.IsCancelled)
                _orders[id] = order with { IsPaid = isPaid };
        }
        return Task.CompletedTask;
    }

    public Task<bool> CancelAsync(string id, CancellationToken stop)
    {
        lock (_gate)
        {
            if (!_orders.TryGetValue(id, out var order) || order.IsPaid || order.IsCancelled)
                return Task.FromResult(false);
            _orders[id] = order with { IsCancelled = true };
            return Task.FromResult(true);
        }
    }
}

/// <summary>Orders in PostgreSQL.</summary>
internal sealed class DatabaseOrders(NpgsqlDataSource source) : IOrderStore, IAsyncDisposable
{
    public async Task<bool> AddAsync(Order order, CancellationToken stop)
    {
        await using var command = source.CreateCommand(
            "INSERT INTO orders (id, item, quantity) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        command.Parameters.Add(new() { Value = order.Id });
        command.Parameters.Add(new() { Value = order.Item });
        command.Parameters.Add(new() { Value = order.Quantity });
        return await command.ExecuteNonQueryAsync(stop) == 1;
    }

    public async Task<Order?> FindAsync(string id, CancellationToken stop) =>
        (await ReadAsync("SELECT * FROM orders WHERE id = $1", id, stop)).SingleOrDefault();

    public async Task<IReadOnlyList<Order>> ListAsync(string item, CancellationToken stop) =>
        await ReadAsync("SELECT * FROM orders WHERE item = $1 ORDER BY id COLLATE \"C\"", item, stop);

    public async Task SetPaidAsync(string id, bool isPaid, CancellationToken stop)
    {
        await using var command = source.CreateCommand("UPDATE orders SET is_paid = $2 WHERE id = $1 AND NOT is_cancelled");
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = isPaid });
        await command.ExecuteNonQueryAsync(stop);
    }

    public async Task<bool> CancelAsync(string id, CancellationToken stop)
    {
        await using var command = source.CreateCommand(
            "UPDATE orders SET is_cancelled = true WHERE id = $1 AND NOT is_cancelled AND NOT is_paid");
        command.Parameters.Add(new() { Value = id });
        return await command.ExecuteNonQueryAsync(stop) == 1;
    }

    public ValueTask DisposeAsync() => source.DisposeAsync();

    private async Task<List<Order>> ReadAsync(string sql, string parameter, CancellationToken stop)
    {
        await using var command = source.CreateCommand(sql);
        command.Parameters.Add(new() { Value = parameter });
        await using var rows = await command.ExecuteReaderAsync(stop);
        var orders = new List<Order>();
        while (await rows.ReadAsync(stop))
            orders.Add(new Order(rows.GetString(0), rows.GetString(1), rows.GetInt32(2), rows.GetBoolean(3), rows.GetBoolean(4)));
        return orders;
    }
}

/// <summary>The tables of the service.</summary>
public static class OrderSchema
{
    public const string Sql =
        """
        CREATE TABLE orders (id text PRIMARY KEY, item text NOT NULL, quantity int NOT NULL,
            is_paid boolean NOT NULL DEFAULT false, is_cancelled boolean NOT NULL DEFAULT false);
        CREATE INDEX orders_item ON orders (item)
        """;
}
