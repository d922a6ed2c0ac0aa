using System.Text;
using MetricStream.Queueing;
using Npgsql;

namespace MetricStream.Storing;

/// <summary>A metric of a record, by the key of its series.</summary>
internal readonly record struct PostgresMetric(byte[] Key, long UnixMs, double Value);

/// <summary>A record of a transaction while it is written: its metrics, or why they cannot be read.</summary>
internal sealed class PostgresRecord(StoreRecord record)
{
    public StoreRecord Record { get; } = record;

    public List<PostgresMetric> Metrics { get; } = [];

    public string? Problem { get; set; }

    public bool IsStored { get; set; }

    /// <summary>It has a body with metrics that can be stored.</summary>
    public bool IsReadable => Problem is null && Record.Batch is { Kind: BatchRecordKind.Batch };

    public BatchRecord Batch => Record.Batch!.Value;
}

/// <summary>
/// The numbers of series and clients, which never change: learned in statements of their own before a transaction, so that no transaction
/// waits for the names of another. Bounded: beyond it everything is learned anew.
/// </summary>
internal sealed class PostgresKeys(int limit)
{
    private readonly Dictionary<byte[], long> _series = new(KeyBytes.Comparer);
    private readonly Dictionary<byte[], long> _clients = new(KeyBytes.Comparer);

    public long Series(byte[] key) => _series[key];

    public long Client(in BatchRecord batch) => _clients.GetAlternateLookup<ReadOnlySpan<byte>>()[batch.ClientId.Span];

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    public void Learn(NpgsqlConnection connection, IReadOnlyCollection<PostgresRecord> records)
    {
        if (_series.Count > limit)
            _series.Clear();
        if (_clients.Count > limit)
            _clients.Clear();
        var series = new SortedSet<byte[]>(ByBytes);
        var clients = new SortedSet<byte[]>(ByBytes);
        var knownClients = _clients.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (var record in records)
        {
            series.UnionWith(record.Metrics.Where(metric => !_series.ContainsKey(metric.Key)).Select(metric => metric.Key));
            if (record.Record.Batch is { } batch && !knownClients.ContainsKey(batch.ClientId.Span))
                clients.Add(batch.ClientId.ToArray());
        }

        if (series.Count > 0)
        {
            byte[][] keys = [.. series];
            connection.Run("INSERT INTO series(key, name) SELECT * FROM unnest($1, $2) ON CONFLICT DO NOTHING",
                keys, keys.Select(key => Encoding.UTF8.GetString(SeriesKey.Name(key))).ToArray());
            Take(connection, "SELECT key, id FROM series WHERE key = ANY($1)", keys, row => row.GetFieldValue<byte[]>(0), _series);
        }

        if (clients.Count > 0)
        {
            var names = clients.Select(client => Text(client)).ToArray();
            connection.Run("INSERT INTO clients(client) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING", (object)names);
            Take(connection, "SELECT client, id FROM clients WHERE client = ANY($1)", names,
                row => Encoding.UTF8.GetBytes(row.GetString(0)), _clients);
        }
    }

    private static readonly Comparer<byte[]> ByBytes = Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b));

    private static void Take(
        NpgsqlConnection connection, string sql, object keys, Func<NpgsqlDataReader, byte[]> key, Dictionary<byte[], long> into)
    {
        using var command = connection.Command(sql, keys);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            into[key(rows)] = rows.GetInt64(1);
    }
}

/// <summary>Short ways to ask PostgreSQL, values apart from the text.</summary>
internal static class PostgresAsking
{
    public static NpgsqlCommand Command(this NpgsqlConnection connection, string sql, params object[] values)
    {
#pragma warning disable CA2100 // Constant texts: what comes from outside is in the values.
        var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        return command;
    }

    public static int Run(this NpgsqlConnection connection, string sql, params object[] values)
    {
        using var command = connection.Command(sql, values);
        return command.ExecuteNonQuery();
    }

    public static long Number(this NpgsqlConnection connection, string sql, params object[] values)
    {
        using var command = connection.Command(sql, values);
        return command.ExecuteScalar() is long number ? number : 0;
    }
}
