using Confluent.Kafka;
using Npgsql;
using OrderService;

// Orders come by HTTP, are stored, and told on a topic; payments come by another topic and mark their order as paid.
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
    if (!await store.AddAsync(order, stop))
        return Results.Conflict();
    await producer.ProduceAsync(settings.OrdersTopic, new Message<string, string> { Key = order.Id, Value = order.Item }, stop);
    return Results.Created($"/orders/{order.Id}", order);
});
app.MapGet("/orders/{id}", async (string id, IOrderStore store, CancellationToken stop) =>
    await store.FindAsync(id, stop) is { } order ? Results.Ok(order) : Results.NotFound());
app.Run();
