using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>Opens the store that the settings name.</summary>
internal static partial class Stores
{
    /// <summary>The file on local disk: the store, or the counters of a server whose store is elsewhere.</summary>
    /// <exception cref="StartRefusedException">It cannot be opened.</exception>
    public static SqliteMetricStore OpenFile(ServeSettings settings)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(settings.StoreFile))!);
            return SqliteMetricStore.Open(settings.StoreFile);
        }
        catch (Exception refused) when (refused is StoreOpenException or IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    /// <summary>The store in PostgreSQL; null with another. One that does not answer is said and may come later.</summary>
    /// <exception cref="StartRefusedException">It answers and refuses.</exception>
    public static PostgresMetricStore? OpenShared(ServeSettings settings, ILogger log)
    {
        if (settings.Store != StoreKind.Postgres)
            return null;
        try
        {
            var store = new PostgresMetricStore(settings.Postgres, settings.ServerId);
            if (store.IsThere)
                LogOpened(log, store.Place);
            else
                LogAway(log, store.Place);
            return store;
        }
        catch (StoreOpenException refused)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    public static string NameOf(StoreKind kind) => kind switch
    {
        StoreKind.Sqlite => "sqlite",
        StoreKind.Postgres => "postgres",
        _ => "none",
    };

    [LoggerMessage(131, LogLevel.Information, "The store is PostgreSQL at {Place}.")]
    private static partial void LogOpened(ILogger log, string place);

    [LoggerMessage(132, LogLevel.Warning, "PostgreSQL at {Place} does not answer; nothing is stored until it does.")]
    private static partial void LogAway(ILogger log, string place);
}
