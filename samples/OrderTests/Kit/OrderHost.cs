using EvenKeel.Testing.AspNetCore;
using EvenKeel.Testing.PostgreSql;
using EvenKeel.Testing.XunitV3;
using Npgsql;
using OrderService;
using Xunit;

namespace OrderTests;

/// <summary>The service of a class, on the class's worker: its topics, its group, its database.</summary>
public sealed class OrderHost : IAsyncDisposable
{
    private const string Variable = "EVENKEEL_POSTGRES";

    private static readonly Lazy<TestDatabases?> Databases = new(() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } server
            ? new TestDatabases(KafkaKit.Run, server, "orders", MakeSchemaAsync)
            : null);

    private readonly WorkerHost<Order> _host = new(KafkaKit.Worker, service => service
        .BootstrapServers("Kafka:BootstrapServers").ConsumerProperties("Kafka:Consumer")
        .Topic("Kafka:OrdersTopic", "orders").Topic("Kafka:PaymentsTopic", "payments").Group("Kafka:GroupId", "payments")
        .Value("ConnectionStrings:Orders", worker => Orders.ForAsync(worker))
        .Value("Logging:LogLevel:Default", "Critical"));

    private static TestDatabases Orders
    {
        get
        {
            Assert.SkipWhen(Databases.Value is null, $"No PostgreSQL: {Variable} is not set to a connection string.");
            return Databases.Value;
        }
    }

    /// <summary>A client of it, to be asked for in every test: after one that failed the service is another.</summary>
    public async Task<HttpClient> HttpAsync() => (await _host.CurrentAsync(TestContext.Current.CancellationToken)).CreateClient();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private static async Task MakeSchemaAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand(OrderSchema.Sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
