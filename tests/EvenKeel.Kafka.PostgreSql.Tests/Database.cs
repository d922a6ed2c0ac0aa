using Npgsql;
using Xunit;

namespace EvenKeel.Kafka.PostgreSql.Tests;

/// <summary>The database that the environment names, with a schema of its own for one test; without one the test is skipped.</summary>
internal sealed class Database : IAsyncDisposable
{
    public const string Variable = "EVENKEEL_POSTGRES";

    private Database(string connectionString)
    {
        ConnectionString = connectionString;
        Schema = $"t_{Guid.NewGuid():N}";
        Source = NpgsqlDataSource.Create(connectionString);
    }

    public string ConnectionString { get; }

    public string Schema { get; }

    public NpgsqlDataSource Source { get; }

    public PostgreSqlEventOptions Options => new() { Schema = Schema };

    public static Database Take()
    {
        var connectionString = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrWhiteSpace(connectionString), $"No PostgreSQL: {Variable} is not set to a connection string.");
        return new Database(connectionString!);
    }

    public Task<PostgreSqlEventRepository> OpenAsync(PostgreSqlEventOptions? options = null) =>
        PostgreSqlEventRepository.OpenAsync(Source, options ?? Options, TestContext.Current.CancellationToken);

    public async Task<object?> AskAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await AskAsync($"DROP SCHEMA IF EXISTS {Schema} CASCADE");
        await Source.DisposeAsync();
    }
}
