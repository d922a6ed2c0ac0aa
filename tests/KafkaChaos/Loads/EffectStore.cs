using System.Data.Common;
using System.Globalization;
using System.Text;
using EvenKeel.Kafka.Consuming;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace KafkaChaos.Loads;

/// <summary>One effect as it lies in the database.</summary>
internal readonly record struct Effect(long Id, string Key, int Number, int Partition, long Offset);

/// <summary>
/// The database of a service with an exactly-once effect: each batch's effects and the position behind them in one transaction, which the
/// fence number alone guards. Nothing in the schema would refuse an effect that is there already: a second one shows.
/// </summary>
internal sealed class EffectStore(string kind, string connection) : IOffsetStore, IDisposable
{
    public const string Sqlite = "sqlite";
    public const string PostgreSql = "postgresql";

    // One transaction at a time in a process, as SQLite has it anyway.
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Writes that were refused because another member owns the partition.</summary>
    public event Action? Fenced;

    public async Task PrepareAsync(CancellationToken cancellation)
    {
        await using var open = await OpenAsync(cancellation);
        if (kind == Sqlite)
            await ExecuteAsync(open, null, "PRAGMA journal_mode=WAL", cancellation);
        var id = kind == Sqlite ? "INTEGER PRIMARY KEY AUTOINCREMENT" : "BIGSERIAL PRIMARY KEY";
        await ExecuteAsync(open, null, "DROP TABLE IF EXISTS effects", cancellation);
        await ExecuteAsync(open, null, "DROP TABLE IF EXISTS positions", cancellation);
        await ExecuteAsync(
            open, null, $"CREATE TABLE effects (id {id}, name TEXT NOT NULL, num INTEGER NOT NULL, part INTEGER NOT NULL, place BIGINT NOT NULL)",
            cancellation);
        await ExecuteAsync(
            open, null, "CREATE TABLE positions (part INTEGER PRIMARY KEY, next BIGINT, fence BIGINT NOT NULL)", cancellation);
    }

    public async ValueTask<IReadOnlyList<ClaimedPosition>> ClaimAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken)
    {
        var claimed = new List<ClaimedPosition>();
        await _gate.WaitAsync(cancellationToken);
        try
        {
            await using var open = await OpenAsync(cancellationToken);
            await using var transaction = await open.BeginTransactionAsync(cancellationToken);

            // In one order for all members: two that claim at once do not wait for each other in a circle.
            foreach (var partition in partitions.OrderBy(partition => partition.Partition))
            {
                await using var command = Command(
                    open, transaction,
                    "INSERT INTO positions (part, next, fence) VALUES (@part, NULL, 1) "
                    + "ON CONFLICT (part) DO UPDATE SET fence = positions.fence + 1 RETURNING next, fence",
                    ("@part", partition.Partition));
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                await reader.ReadAsync(cancellationToken);
                claimed.Add(new ClaimedPosition(partition, reader.IsDBNull(0) ? null : reader.GetInt64(0), reader.GetInt64(1)));
            }
            await transaction.CommitAsync(cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
        return claimed;
    }

    /// <exception cref="FencedException">Another member owns the partition; nothing was written.</exception>
    public async ValueTask WriteAsync(ReceivedBatch batch, CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation);
        try
        {
            await using var open = await OpenAsync(cancellation);
            await using var transaction = await open.BeginTransactionAsync(cancellation);
            var owned = await ExecuteAsync(
                open, transaction, "UPDATE positions SET next = @next WHERE part = @part AND fence = @fence", cancellation,
                ("@next", batch.NextOffset), ("@part", batch.Source.Partition), ("@fence", batch.Fence));
            if (owned != 1)
            {
                Fenced?.Invoke();
                throw new FencedException($"{batch.Source} is owned under another number than {batch.Fence}.");
            }
            for (var i = 0; i < batch.Count; i++)
            {
                var value = Encoding.ASCII.GetString(batch[i].Value.Span);
                await ExecuteAsync(
                    open, transaction, "INSERT INTO effects (name, num, part, place) VALUES (@name, @num, @part, @place)", cancellation,
                    ("@name", Encoding.ASCII.GetString(batch[i].Key.Span)),
                    ("@num", int.Parse(value[..value.IndexOf('.')], CultureInfo.InvariantCulture)),
                    ("@part", batch[i].Partition), ("@place", batch[i].Offset));
            }
            await transaction.CommitAsync(cancellation);
        }
        finally
        {
            _gate.Release();
        }
    }

    public async Task<long> CountAsync(CancellationToken cancellation)
    {
        await using var open = await OpenAsync(cancellation);
        await using var command = Command(open, null, "SELECT COUNT(*) FROM (SELECT DISTINCT part, place FROM effects) AS different");
        return Convert.ToInt64(await command.ExecuteScalarAsync(cancellation), CultureInfo.InvariantCulture);
    }

    /// <summary>All effects in the order in which they were written.</summary>
    public async Task<List<Effect>> ReadAsync(CancellationToken cancellation)
    {
        var effects = new List<Effect>();
        await using var open = await OpenAsync(cancellation);
        await using var command = Command(open, null, "SELECT id, name, num, part, place FROM effects ORDER BY id");
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
            effects.Add(new Effect(reader.GetInt64(0), reader.GetString(1), reader.GetInt32(2), reader.GetInt32(3), reader.GetInt64(4)));
        return effects;
    }

    public void Dispose() => _gate.Dispose();

    private static DbCommand Command(DbConnection open, DbTransaction? transaction, string sql, params (string Name, object Value)[] values)
    {
        var command = open.CreateCommand();
        (command.CommandText, command.Transaction) = (sql, transaction);
        foreach (var (name, value) in values)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
        return command;
    }

    private static async Task<int> ExecuteAsync(
        DbConnection open, DbTransaction? transaction, string sql, CancellationToken cancellation,
        params (string Name, object Value)[] values)
    {
        await using var command = Command(open, transaction, sql, values);
        return await command.ExecuteNonQueryAsync(cancellation);
    }

    private async Task<DbConnection> OpenAsync(CancellationToken cancellation)
    {
        DbConnection open = kind == Sqlite ? new SqliteConnection(connection) : new NpgsqlConnection(connection);
        await open.OpenAsync(cancellation);
        if (kind == Sqlite)
            await ExecuteAsync(open, null, "PRAGMA synchronous=FULL", cancellation);
        return open;
    }
}
