using System.Text;
using MetricStream.Queueing;
using Npgsql;

namespace MetricStream.Storing;

/// <summary>
/// The dead letters of file queues that lie in PostgreSQL, of every server that stores there, for who asks from outside the servers. A
/// letter that is tried again counts where the server counts whose queue it came from.
/// </summary>
internal sealed class PostgresDeadLetters : IDeadLetters
{
    private readonly PostgresSession _session;
    private readonly PostgresKeys _keys = new(TransactionWriter.RememberedRows);
    private readonly PostgresDays _days = new(TimeProvider.System);

    /// <param name="connection">A connection string of Npgsql; <c>Search Path</c> names the schema.</param>
    /// <exception cref="StoreOpenException">The connection string cannot be used.</exception>
    public PostgresDeadLetters(string connection) => _session = new PostgresSession(connection);

    public IReadOnlyList<DeadLetter> DeadLetters(long after, int limit) => _session.UseReady(connection =>
    {
        var letters = new List<DeadLetter>();
        using var command = connection.Command("""
            SELECT d.id, d.source, s.source, s.position, d.client, d.batch_id, d.reason, d.arrived, d.body
            FROM dead_letters d JOIN sources s ON s.id = d.source WHERE d.id > $1 ORDER BY d.id LIMIT $2
            """, after, limit);
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            // As in a file: stored now, it lies behind everything of its source.
            var position = Math.Max(0, rows.GetInt64(3) - 1);
            var body = rows.GetFieldValue<byte[]>(8);
            var record = rows.IsDBNull(4)
                ? StoreRecord.Of(position, body)
                : new StoreRecord(position, new BatchRecord(
                    BatchRecordKind.Batch, rows.GetInt64(7), 0, Encoding.UTF8.GetBytes(rows.GetString(4)),
                    Encoding.UTF8.GetBytes(rows.GetString(5)), body), body);
            letters.Add(new DeadLetter(rows.GetInt64(0), rows.GetInt64(1), rows.GetString(2), record, rows.GetString(6)));
        }

        return letters;
    });

    public IReadOnlyList<DeadLetter> Retry(IReadOnlyList<DeadLetter> letters) =>
        [.. letters.Where(letter => !_session.UseReady(connection => Retry(connection, letter)))];

    public void Dispose() => _session.Dispose();

    /// <summary>One letter in a transaction of its own; false: it is refused again, and nothing changed.</summary>
    private bool Retry(NpgsqlConnection connection, DeadLetter letter)
    {
        using var find = connection.Command("SELECT coalesce(owner, '') FROM sources WHERE id = $1", letter.SourceId);
        var writer = new PostgresWriter(_keys, _days, (string)find.ExecuteScalar()!);
        var transaction = new StoreTransaction(letter.Source, letter.Record.Position + 1, 0, [letter.Record]);
        writer.Prepare(connection, transaction);
        using var open = connection.BeginTransaction();
        // Whoever tries the letters at the same time waits here, and finds it gone.
        if (connection.Run("DELETE FROM dead_letters WHERE id = $1", letter.Id) == 0)
            return true;
        if (!writer.Retry(connection, transaction))
            return false;
        open.Commit();
        return true;
    }
}
