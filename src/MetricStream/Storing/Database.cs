using SQLitePCL;

namespace MetricStream.Storing;

/// <summary>
/// One open connection to the store's SQLite file, with the statements prepared on it. Used by one thread at a time.
/// It speaks to SQLite's C interface through SQLitePCLRaw: a sample is four binds and a step, without a parameter
/// object for each.
/// </summary>
internal sealed class Database : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly List<SqliteStatement> _statements = [];

    private Database(sqlite3 connection) => _connection = connection;

    static Database() => Batteries_V2.Init();

    public bool InTransaction => raw.sqlite3_get_autocommit(_connection) == 0;

    /// <summary>Rows that the last insert, update or delete touched.</summary>
    public int Changes => raw.sqlite3_changes(_connection);

    public long LastInsertedRow => raw.sqlite3_last_insert_rowid(_connection);

    /// <summary>Opens for writing, creating the file when absent, or for reading alone.</summary>
    public static Database Open(string path, bool write, TimeSpan busyWait)
    {
        var flags = raw.SQLITE_OPEN_NOMUTEX | (write ? raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE : raw.SQLITE_OPEN_READONLY);
        var code = raw.sqlite3_open_v2(path, out var connection, flags, null);
        if (code != raw.SQLITE_OK)
        {
            var failure = SqliteFailureException.From(connection, code, "open");
            connection.Dispose();
            throw failure;
        }

        var database = new Database(connection);
        _ = raw.sqlite3_extended_result_codes(connection, 1);
        _ = raw.sqlite3_busy_timeout(connection, (int)busyWait.TotalMilliseconds);
        return database;
    }

    /// <summary>A statement that lives as long as this connection.</summary>
    public SqliteStatement Prepare(string sql)
    {
        var code = raw.sqlite3_prepare_v3(_connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out var handle);
        if (code != raw.SQLITE_OK)
            throw Failure(code, sql);
        var statement = new SqliteStatement(this, handle, sql);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>A statement that its user disposes of.</summary>
    public SqliteStatement PrepareOnce(string sql)
    {
        var statement = Prepare(sql);
        _statements.Remove(statement);
        return statement;
    }

    public void Execute(string sql)
    {
        var code = raw.sqlite3_exec(_connection, sql);
        if (code != raw.SQLITE_OK)
            throw Failure(code, sql);
    }

    public long Scalar(string sql)
    {
        using var statement = PrepareOnce(sql);
        return statement.Step() ? statement.Long(0) : 0;
    }

    /// <summary>Runs <paramref name="work"/> in one transaction; whatever it throws, nothing of it stays.</summary>
    public T Transact<T>(string begin, Func<T> work)
    {
        if (InTransaction)
            throw new InvalidOperationException("A transaction is already open on this connection.");
        Execute(begin);
        try
        {
            var result = work();
            Execute("COMMIT");
            return result;
        }
        finally
        {
            // Still open: work threw, or COMMIT was refused. After some errors (disk full, I/O) SQLite has rolled back itself.
            if (InTransaction)
                Rollback();
        }
    }

    public SqliteFailureException Failure(int code, string doing) => SqliteFailureException.From(_connection, code, doing);

    public void Dispose()
    {
        foreach (var statement in _statements)
            statement.Dispose();
        _statements.Clear();
        _connection.Dispose();
    }

    private void Rollback()
    {
        // ROLLBACK fails only when there is nothing to roll back; the failure that led here is the one to report.
        if (raw.sqlite3_exec(_connection, "ROLLBACK") != raw.SQLITE_OK && InTransaction)
            throw new InvalidOperationException("SQLite could not roll back; the connection is in an unknown state. Restart the server.");
    }
}
