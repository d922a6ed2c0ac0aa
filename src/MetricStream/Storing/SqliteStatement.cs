using System.Text;
using SQLitePCL;

namespace MetricStream.Storing;

/// <summary>
/// One prepared SQL statement of one <see cref="Database"/>: bind from 1, step, read columns from 0, reset. Spans that it returns are
/// good until the next step or reset. Not thread-safe, like its connection.
/// </summary>
internal sealed class SqliteStatement : IDisposable
{
    private readonly Database _database;
    private readonly sqlite3_stmt _statement;
    private readonly string _sql;

    internal SqliteStatement(Database database, sqlite3_stmt statement, string sql)
    {
        _database = database;
        _statement = statement;
        _sql = sql;
    }

    public SqliteStatement Bind(int index, long value) => Checked(raw.sqlite3_bind_int64(_statement, index, value));

    /// <summary>NaN becomes NULL (SQLite has no NaN); infinities are kept.</summary>
    public SqliteStatement Bind(int index, double value) => Checked(raw.sqlite3_bind_double(_statement, index, value));

    public SqliteStatement BindBlob(int index, ReadOnlySpan<byte> value) =>
        // An empty span has a null address, which SQLite would read as NULL.
        Checked(value.IsEmpty ? raw.sqlite3_bind_zeroblob(_statement, index, 0) : raw.sqlite3_bind_blob(_statement, index, value));

    public SqliteStatement BindText(int index, ReadOnlySpan<byte> utf8) =>
        Checked(utf8.IsEmpty ? raw.sqlite3_bind_text(_statement, index, "") : raw.sqlite3_bind_text(_statement, index, utf8));

    public SqliteStatement BindText(int index, string value) => Checked(raw.sqlite3_bind_text(_statement, index, value));

    public SqliteStatement BindNull(int index) => Checked(raw.sqlite3_bind_null(_statement, index));

    /// <summary>True: a row can be read. False: done, and reset for the next use.</summary>
    public bool Step()
    {
        var code = raw.sqlite3_step(_statement);
        if (code == raw.SQLITE_ROW)
            return true;
        if (code == raw.SQLITE_DONE)
        {
            Reset();
            return false;
        }

        // The failure is read before the reset, which would overwrite it with the same code and then clear it.
        var failure = _database.Failure(code, _sql);
        Reset();
        throw failure;
    }

    /// <summary>Runs a statement that answers no rows.</summary>
    public void Run()
    {
        if (!Step())
            return;
        Reset();
        throw new InvalidOperationException($"A statement that should answer no rows answered one: {_sql}");
    }

    /// <summary>Ends a read before its last row. The result code repeats that of the last step, which was looked at there.</summary>
    public void Reset() => _ = raw.sqlite3_reset(_statement);

    public long Long(int column) => raw.sqlite3_column_int64(_statement, column);

    /// <summary>NaN where the column is NULL.</summary>
    public double Double(int column) =>
        raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL ? double.NaN : raw.sqlite3_column_double(_statement, column);

    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    public ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(_statement, column);

    public string Text(int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(_statement, column));

    public void Dispose() => _statement.Dispose();

    private SqliteStatement Checked(int code) => code == raw.SQLITE_OK ? this : throw _database.Failure(code, _sql);
}
