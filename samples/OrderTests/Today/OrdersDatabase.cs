using System.Diagnostics.CodeAnalysis;
using Npgsql;
using OrderService;
using Xunit;

namespace OrderTests;

/// <summary>The database of a test run: the tests share it and keep apart by the ids of their orders.</summary>
public sealed class OrdersDatabase : IAsyncLifetime
{
    private const string Variable = "EVENKEEL_POSTGRES";
    private static readonly string? Server = Environment.GetEnvironmentVariable(Variable);
    private readonly string _name = $"orders_{Guid.NewGuid():N}";

    public string ConnectionString
    {
        get
        {
            Assert.SkipWhen(string.IsNullOrEmpty(Server), $"No PostgreSQL: {Variable} is not set to a connection string.");
            return new NpgsqlConnectionStringBuilder(Server) { Database = _name }.ConnectionString;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (string.IsNullOrEmpty(Server))
            return;
        await RunAsync(Server, $"CREATE DATABASE {_name}");
        await RunAsync(ConnectionString, OrderSchema.Sql);
    }

    public async ValueTask DisposeAsync()
    {
        if (!string.IsNullOrEmpty(Server))
            await RunAsync(Server, $"DROP DATABASE {_name} WITH (FORCE)");
    }

    [SuppressMessage("Security", "CA2100", Justification = "The statements stand in this file, and the name is made here.")]
    private static async Task RunAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
