using MetricStream.Storing;
using Npgsql;
using Xunit;

namespace MetricStream.Tests.Storing;

/// <summary>The PostgreSQL that the environment names, with a schema of its own for one test; without one the test is skipped.</summary>
internal sealed class PostgresPlace : IDisposable
{
    public const string Variable = "EVENKEEL_POSTGRES";

    private readonly string _schema = $"ms_{Guid.NewGuid():n}";
    private readonly string _server;

    private PostgresPlace(string server) => _server = server;

    public string ConnectionString => $"{_server};Search Path={_schema}";

    public static PostgresPlace Take()
    {
        var server = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrWhiteSpace(server), $"No PostgreSQL: {Variable} is not set to a connection string.");
        return new PostgresPlace(server!);
    }

    public PostgresMetricStore Open(string server = "here", StoreLimits? limits = null, TimeProvider? time = null) =>
        new(ConnectionString, server, limits, time);

    public void Run(string sql)
    {
        using var source = NpgsqlDataSource.Create(ConnectionString);
        using var command = source.CreateCommand(sql);
        command.ExecuteNonQuery();
    }

    /// <summary>The tables as a program of an earlier format made them.</summary>
    public void Make(string tables, int version)
    {
        Run($"CREATE SCHEMA {_schema}");
        Run(tables);
        Run($"CREATE TABLE format(version integer NOT NULL); INSERT INTO format VALUES ({version})");
    }

    public long Number(string sql)
    {
        using var source = NpgsqlDataSource.Create(ConnectionString);
        using var command = source.CreateCommand(sql);
        return (long)command.ExecuteScalar()!;
    }

    public NpgsqlConnection Connect()
    {
        var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        connection.Open();
        return connection;
    }

    public void Dispose() => Run($"DROP SCHEMA IF EXISTS {_schema} CASCADE");
}
