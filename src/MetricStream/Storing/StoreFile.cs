namespace MetricStream.Storing;

/// <summary>
/// The store's file on disk: opening it, its format version (<c>PRAGMA user_version</c>), and the upgrade from older ones.
/// The one place of this folder that touches the file system beside SQLite.
/// </summary>
internal static class StoreFile
{
    /// <summary>Marks the file as a MetricStream store: <c>MSTR</c> in ASCII.</summary>
    public const int ApplicationId = 0x4D535452;

    public static int Version => Upgrades.Length;

    // Upgrades[n] leads from version n to n + 1; version 0 is an empty file. Released entries are never edited.
    private static readonly string[] Upgrades = [StoreSchema.Version1, StoreSchema.Version2, StoreSchema.Version3];

    /// <summary>Opens the writer's connection; creates or upgrades the file. Throws <see cref="StoreOpenException"/>.</summary>
    public static Database OpenWriter(string path, StoreLimits limits)
    {
        if (Directory.Exists(path))
            throw new StoreOpenException($"The store {path} is a folder, not a file; move it away or use another --data folder.");
        Database? database = null;
        try
        {
            database = Database.Open(path, write: true, limits.BusyWait);
            Check(database, path);
            // 8 KiB pages (a new file's; an older one keeps its own): less CPU a batch than 4 KiB in noisy runs with bodies of 350 bytes.
            // synchronous=FULL: a commit is an fsync of the log. Checkpoints come at 32 MiB of log, by default at 1000 pages: each is
            // two more fsyncs and rewrites the pages of every series that got a sample since.
            database.Execute("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
            database.Execute("PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;");
            database.Execute("PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864;");
            if (limits.FileBytes is { } bytes)
                database.Execute($"PRAGMA max_page_count={Math.Max(1, bytes / database.Scalar("PRAGMA page_size"))};");
            Upgrade(database);
            return database;
        }
        catch (SqliteFailureException failure)
        {
            database?.Dispose();
            throw failure.ToOpenFailure(path);
        }
        catch (StoreOpenException)
        {
            database?.Dispose();
            throw;
        }
    }

    /// <summary>Opens a connection that can only read. Throws <see cref="SqliteFailureException"/>.</summary>
    public static Database OpenReader(string path, StoreLimits limits)
    {
        var database = Database.Open(path, write: false, limits.BusyWait);
        database.Execute("PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;");
        return database;
    }

    /// <summary>
    /// Throws when the file was deleted or moved away under the open connection: SQLite would go on writing into the nameless file and
    /// every later commit would be a promise that the next start cannot keep.
    /// </summary>
    public static void ThrowIfGone(string path)
    {
        if (File.Exists(path) && File.Exists(path + "-wal"))
            return;
        var cause = new FileNotFoundException("The store's file or its -wal file is missing.", path);
        throw new StoreUnavailableException(
            $"The store {path} was deleted or moved while in use; put it back (with -wal and -shm), or restart to begin an empty one.",
            cause);
    }

    // Reads only: nothing is written into a file that is not ours or of a version we do not know.
    private static void Check(Database database, string path)
    {
        var applicationId = database.Scalar("PRAGMA application_id");
        var version = database.Scalar("PRAGMA user_version");
        var tables = database.Scalar("SELECT count(*) FROM sqlite_schema");
        if (applicationId != ApplicationId && (applicationId != 0 || version != 0 || tables != 0))
        {
            throw new StoreOpenException(
                $"The store {path} is an SQLite file of another program (application id {applicationId}, {tables} tables and indexes); " +
                "move it away or use another --data folder.");
        }

        if (version > Version)
        {
            throw new StoreOpenException(
                $"The store {path} has format {version}, this program knows formats up to {Version}; " +
                "run the newer program that wrote it, or use another --data folder.");
        }
    }

    // Each upgrade and its version number are one transaction: a kill leaves the old format or the new one.
    private static void Upgrade(Database database)
    {
        for (var from = (int)database.Scalar("PRAGMA user_version"); from < Version; from++)
        {
            database.Transact("BEGIN IMMEDIATE", () =>
            {
                database.Execute(Upgrades[from]);
                database.Execute($"PRAGMA application_id={ApplicationId}; PRAGMA user_version={from + 1};");
                return true;
            });
        }
    }
}
