using SQLitePCL;

namespace MetricStream.Storing;

/// <summary>
/// A call that SQLite refused: its extended result code and its own words. Never leaves this folder: this file, the one that classifies
/// SQLite's errors, turns it into what callers act on.
/// </summary>
internal sealed class SqliteFailureException(int code, string message) : Exception(message)
{
    /// <summary>SQLite's extended result code.</summary>
    public int Code { get; } = code;

    private int PrimaryCode => Code & 0xFF;

    public static SqliteFailureException From(sqlite3 connection, int code, string doing)
    {
        var extended = raw.sqlite3_extended_errcode(connection);
        var exact = (extended & 0xFF) == (code & 0xFF) ? extended : code;
        return new SqliteFailureException(exact, $"{doing}: {raw.sqlite3_errmsg(connection).utf8_to_string()} (SQLite {exact})");
    }

    /// <summary>While running: nothing was written, and the call may be made again once the cause is gone.</summary>
    public StoreUnavailableException ToUnavailable(string file) => new($"The store {file} {RunningAdvice()} [{Message}]", this);

    /// <summary>At start: the message for a person, with the fix.</summary>
    public StoreOpenException ToOpenFailure(string file) => new($"The store {file} {OpeningAdvice(file)} [{Message}]", this);

    private string RunningAdvice() => PrimaryCode switch
    {
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => "is locked by another program; close that program, the write is tried again.",
        raw.SQLITE_FULL => "cannot grow: the disk (or its quota) is full; free some space, the write is tried again.",
        raw.SQLITE_READONLY => "has become read-only; make the file and its folder writable again.",
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => "is damaged; stop the server, keep a copy, and restore the file or move it away.",
        raw.SQLITE_CANTOPEN => "cannot be opened; check that the file and its folder are still there and readable.",
        raw.SQLITE_INTERRUPT => "was interrupted.",
        _ => "could not be read or written; check the disk and the system log.",
    };

    private string OpeningAdvice(string file) => PrimaryCode switch
    {
        raw.SQLITE_NOTADB or raw.SQLITE_CORRUPT =>
            "is damaged or no SQLite file; move it away to start an empty store, or restore it from a copy.",
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => "is locked by another program; close that program, or use another --data folder.",
        raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_AUTH =>
            "is not writable; give the user of this process write access to the file and its folder.",
        raw.SQLITE_CANTOPEN => $"cannot be opened or created; check that {Path.GetDirectoryName(file)} exists and is writable.",
        raw.SQLITE_FULL => "cannot be created: the disk (or its quota) is full; free some space.",
        _ => "cannot be opened; check the disk and the system log.",
    };
}
