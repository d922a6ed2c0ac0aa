using System.Net.Sockets;
using Npgsql;

namespace MetricStream.Storing;

/// <summary>Connections to one PostgreSQL, with the store's tables made before the first is used. Any thread.</summary>
internal sealed class PostgresSession : IDisposable
{
    private const int SecondsToConnect = 5;
    private const int SecondsToAnswer = 30;

    private readonly NpgsqlDataSource _source;
    private readonly string _schema;

    // Guarded by _gate.
    private readonly Lock _gate = new();
    private volatile bool _isMade;

    /// <exception cref="StoreOpenException">The connection string cannot be used.</exception>
    public PostgresSession(string connection)
    {
        try
        {
            var settings = new NpgsqlConnectionStringBuilder(connection);
            _schema = settings.SearchPath is { Length: > 0 } path ? path.Trim('"') : PostgresSchema.DefaultName;
            if (_schema.AsSpan().ContainsAny('"', ',', '\\'))
                throw new StoreOpenException($"--postgres names the search path '{_schema}': name one schema.");
            settings.SearchPath = $"\"{_schema}\"";
            settings.ApplicationName ??= "metricstream";
            settings.NoResetOnClose = true; // The writer's temporary table stays with its connection.
            settings.Timeout = Math.Min(settings.Timeout, SecondsToConnect);
            settings.CommandTimeout = Math.Min(settings.CommandTimeout, SecondsToAnswer);
            Place = $"{settings.Host}:{settings.Port}/{settings.Database}, schema {_schema}";
            _source = NpgsqlDataSource.Create(settings);
        }
        catch (ArgumentException unreadable)
        {
            throw new StoreOpenException(
                $"--postgres is no connection string: {unreadable.Message} Write it as Host=…;Username=…;Password=…;Database=…",
                unreadable);
        }
    }

    /// <summary>For messages; without the password.</summary>
    public string Place { get; }

    /// <summary>Asks once. True: the store can be used; false: nobody answers now, which may pass.</summary>
    /// <exception cref="StoreOpenException">It answers and refuses: who we say we are, the database, or our tables.</exception>
    public bool TryOpen()
    {
        try
        {
            using var connection = Open();
            return true;
        }
        catch (PostgresException refused) when (!refused.IsTransient)
        {
            throw new StoreOpenException(
                $"PostgreSQL at {Place} refuses: {refused.MessageText} ({refused.SqlState}) Correct --postgres, or the rights there.",
                refused);
        }
        catch (Exception away) when (IsAway(away))
        {
            return false;
        }
    }

    /// <summary>Runs work on a connection of the pool.</summary>
    /// <exception cref="StoreUnavailableException">PostgreSQL does not answer, or cannot now.</exception>
    public T Use<T>(Func<NpgsqlConnection, T> work)
    {
        try
        {
            using var connection = Open();
            return work(connection);
        }
        catch (Exception away) when (IsAway(away))
        {
            throw new StoreUnavailableException($"PostgreSQL at {Place} cannot be used now: {away.Message}", away);
        }
    }

    /// <summary>As <see cref="Use"/>, for who must not wait while tables are brought up to date.</summary>
    /// <exception cref="StoreUnavailableException">PostgreSQL does not answer, or cannot now, or its tables are not ready.</exception>
    public T UseReady<T>(Func<NpgsqlConnection, T> work)
    {
        try
        {
            using var connection = _source.OpenConnection();
            if (!_isMade && !PostgresSchema.IsCurrent(connection))
            {
                throw new TimeoutException(
                    "the store's tables are not there in this program's format; the server that stores makes them when it starts.");
            }

            return work(connection);
        }
        catch (Exception away) when (IsAway(away))
        {
            throw new StoreUnavailableException($"PostgreSQL at {Place} cannot be used now: {away.Message}", away);
        }
    }

    /// <summary>Runs work in one transaction: all of it or nothing.</summary>
    /// <exception cref="StoreUnavailableException">PostgreSQL does not answer, or cannot now.</exception>
    public T Transact<T>(Func<NpgsqlConnection, T> work) => Use(connection =>
    {
        using var transaction = connection.BeginTransaction();
        var result = work(connection);
        transaction.Commit();
        return result;
    });

    public void Dispose() => _source.Dispose();

    // A server that stops or has no room answers so; a defect of ours, such as a table that is not there, comes as a refusal as well and
    // is told as the store's trouble.
    private static bool IsAway(Exception error) => error is NpgsqlException or SocketException or TimeoutException or IOException;

    private NpgsqlConnection Open()
    {
        var connection = _source.OpenConnection();
        if (_isMade)
            return connection;
        try
        {
            lock (_gate)
            {
                if (!_isMade)
                    PostgresSchema.Make(connection, _schema);
                _isMade = true;
            }
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
