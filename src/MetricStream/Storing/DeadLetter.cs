using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>A record that the store refused and keeps, with the reason, as it lies in the store's table.</summary>
internal sealed record DeadLetter(long Id, long SourceId, string Source, StoreRecord Record, string Reason);

/// <summary>The dead letters that lie in a store, in a file or in PostgreSQL.</summary>
internal interface IDeadLetters : IDisposable
{
    /// <summary>Those behind one of them, oldest first, at most so many.</summary>
    IReadOnlyList<DeadLetter> DeadLetters(long after, int limit);

    /// <summary>Tries them again; those that are stored or duplicates now are none any more.</summary>
    /// <returns>Those that are refused again.</returns>
    IReadOnlyList<DeadLetter> Retry(IReadOnlyList<DeadLetter> letters);
}

/// <summary>Reads the table of dead letters.</summary>
internal static class DeadLetterRows
{
    /// <summary>All behind a letter, oldest first, at most so many.</summary>
    public static List<DeadLetter> Read(Database database, long after, int limit)
    {
        using var rows = database.PrepareOnce("""
            SELECT d.id, d.source, s.source, s.position, d.client, d.batch_id, d.reason, d.arrived, d.body
            FROM dead_letters d JOIN sources s ON s.id = d.source WHERE d.id > ? ORDER BY d.id LIMIT ?
            """);
        rows.Bind(1, after).Bind(2, limit);
        var letters = new List<DeadLetter>();
        while (rows.Step())
        {
            // Stored now, it lies behind everything of its source: the rows of a source are in the order of their positions.
            var position = Math.Max(0, rows.Long(3) - 1);
            var body = rows.Blob(8).ToArray();
            var record = rows.IsNull(4)
                ? StoreRecord.Of(position, body)
                : new StoreRecord(position, new BatchRecord(
                    BatchRecordKind.Batch, rows.Long(7), 0, rows.Blob(4).ToArray(), rows.Blob(5).ToArray(), body), body);
            letters.Add(new DeadLetter(rows.Long(0), rows.Long(1), rows.Text(2), record, rows.Text(6)));
        }
        return letters;
    }
}
