using Confluent.Kafka;
using Npgsql;
using OrderService;

// Orders come by HTTP, are stored, and told on a topic, a cancelled one as a tombstone; payments come by another topic.
var builder = WebApplication.CreateBuilder(args);
var settings = builder.Configuration.GetSection("Kafka").Get<OrderSettings>() ?? new OrderSettings();
var database = builder.Configuration.GetConnectionString("Orders");
builder.Services.AddSingleton(settings);
builder.Services.AddSingleton<IOrderStore>(_ => database is null ? new MemoryOrders() : new DatabaseOrders(NpgsqlDataSource.Create(database)));
builder.Services.AddSingleton(_ => new ProducerBuilder<string, string>(
    new ProducerConfig { BootstrapServers = settings.BootstrapServers, LingerMs = 0 }).Build());
builder.Services.AddHostedService<PaymentConsumer>();
var app = builder.Build();

app.MapPost("/orders", async (Order order, IOrderStore store, IProducer<string, string> producer, CancellationToken stop) =>
{
    if (order.Refusal is { } refusal)
        return Results.BadRequest(refusal);
    if (!await store.AddAsync(order, stop))
        return Results.Conflict();
    await producer.ProduceAsync(
        settings.OrdersTopic, new Message<string, string> { Key = order.Id, Value = $"{order.Quantity} x {order.Item}" }, stop);
    return Results.Created($"/orders/{order.Id}", order);
});
app.MapDelete("/orders/{id}", async (string id, IOrderStore store, IProducer<string, string> producer, CancellationToken stop) =>
{
    if (await store.FindAsync(id, stop) is null)
        return Results.NotFound();
    if (!await store.CancelAsync(id, stop))
        return Results.Conflict();
    await producer.ProduceAsync(settings.OrdersTopic, new Message<string, string> { Key = id, Value = null! }, stop);
    return Results.NoContent();
});
app.MapGet("/orders/{id}", async (string id, IOrderStore store, CancellationToken stop) =>
    await store.FindAsync(id, stop) is { } order ? Results.Ok(order) : Results.NotFound());
app.MapGet("/orders", async (string item, IOrderStore store, CancellationToken stop) => await store.ListAsync(item, stop));
app.Run();
