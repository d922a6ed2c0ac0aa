using System.Diagnostics.CodeAnalysis;
using EvenKeel.Testing.Workers;
using Npgsql;

namespace EvenKeel.Testing.PostgreSql;

/// <summary>
/// The databases of a run on one PostgreSQL server: each worker has one of its own of each name, cloned in milliseconds from a template
/// that is prepared once. They are dropped at the end of the run; those of runs that died, by the next run.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The semaphore's wait handle is never made; the source ends with the run.")]
public sealed class TestDatabases
{
    private readonly TestRun _run;
    private readonly NpgsqlDataSource _server;
    private readonly string _connectionString;
    private readonly Func<NpgsqlConnection, Task> _prepare;
    private readonly string _prefix;
    private readonly string _name;

    // Guarded by _making. The template is made with the first clone.
    private readonly SemaphoreSlim _making = new(1);
    private readonly Dictionary<(int Worker, int Version), string> _made = [];
    private string? _template;

    /// <summary>Begins with nothing: the template is prepared when the first worker asks.</summary>
    /// <param name="run">The run that they belong to.</param>
    /// <param name="connectionString">The server, with the right to create databases; its database is one to connect to meanwhile.</param>
    /// <param name="name">What the tests call it: a-z, 0-9 and _.</param>
    /// <param name="prepare">Makes the template in an empty database: schema, first rows.</param>
    /// <exception cref="ArgumentException">The name is too long, or has other characters.</exception>
    public TestDatabases(TestRun run, string connectionString, string name, Func<NpgsqlConnection, Task> prepare)
    {
        ArgumentNullException.ThrowIfNull(run);
        _run = run;
        _prepare = prepare;
        _name = name;
        _prefix = run.Options.NamePrefix.Replace('-', '_').Replace('.', '_').ToLowerInvariant();
        DatabaseName.Worker(_prefix, name, 4096, run.Id, 999);
        _connectionString = connectionString;
        _server = NpgsqlDataSource.Create(connectionString);
        var address = new NpgsqlConnectionStringBuilder(connectionString);
        _run.SweepInBackground($"postgres {address.Host}:{address.Port}", SweepAsync);
        _run.AtEnd($"Dropping the databases '{name}'", DropAllAsync, isBesideClients: true);
    }

    /// <summary>The worker's database: the same one in every test until one fails, then another.</summary>
    /// <param name="worker">Whose.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A connection string for it, otherwise as that of the server.</returns>
    public async Task<string> ForAsync(TestWorker worker, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(worker);
        await _making.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var key = (worker.Number, worker.Version);
            if (_made.TryGetValue(key, out var known))
                return StringFor(known);
            _template ??= await PrepareAsync(cancellationToken).ConfigureAwait(false);
            var database = DatabaseName.Worker(_prefix, _name, worker.Number, _run.Id, worker.Version);
            await RunAsync(_server, $"CREATE DATABASE \"{database}\" TEMPLATE \"{_template}\"", cancellationToken).ConfigureAwait(false);
            _made[key] = database;
            return StringFor(database);
        }
        finally
        {
            _making.Release();
        }
    }

    private async Task<string> PrepareAsync(CancellationToken cancellationToken)
    {
        var template = DatabaseName.Template(_prefix, _name, _run.Id);
        await RunAsync(_server, $"CREATE DATABASE \"{template}\"", cancellationToken).ConfigureAwait(false);
        try
        {
            // Without a pool: a database that somebody is connected to cannot be a template.
            await using var connection = new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(StringFor(template)) { Pooling = false }.ConnectionString);
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            await _prepare(connection).ConfigureAwait(false);
        }
        catch
        {
            await DropAsync(_server, template).ConfigureAwait(false);
            throw;
        }
        return template;
    }

    private async Task SweepAsync(Func<string, bool> isStale)
    {
        // On connections of its own: it may go on, or begin once more, when those of the run are closed.
        await using var server = NpgsqlDataSource.Create(_connectionString);
        foreach (var database in await ListAsync(server).ConfigureAwait(false))
        {
            if (DatabaseName.RunOf(_prefix, database) is { } owner && isStale(owner))
                await DropAsync(server, database).ConfigureAwait(false);
        }
    }

    private async Task DropAllAsync()
    {
        // At once: each drop waits for a checkpoint, and those that wait together share one.
        await Task.WhenAll(_made.Values.Append(_template).OfType<string>().Select(database => DropAsync(_server, database)))
            .ConfigureAwait(false);
        await _server.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<List<string>> ListAsync(NpgsqlDataSource server)
    {
        var names = new List<string>();
        await using var command = server.CreateCommand("SELECT datname FROM pg_database WHERE NOT datistemplate");
        await using var rows = await command.ExecuteReaderAsync().ConfigureAwait(false);
        while (await rows.ReadAsync().ConfigureAwait(false))
            names.Add(rows.GetString(0));
        return names;
    }

    /// <summary>Whoever is still connected, such as a service that was not stopped, is cut off.</summary>
    private static Task DropAsync(NpgsqlDataSource server, string database) =>
        RunAsync(server, $"DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)", CancellationToken.None);

    [SuppressMessage("Security", "CA2100", Justification = "A database's name cannot be a parameter; ours has a-z, 0-9 and _ alone.")]
    private static async Task RunAsync(NpgsqlDataSource server, string sql, CancellationToken cancellationToken)
    {
        await using var command = server.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private string StringFor(string database) =>
        new NpgsqlConnectionStringBuilder(_connectionString) { Database = database }.ConnectionString;
}
