using System.Text;
using MetricStream.Kafka;

namespace MetricStream.Storing;

/// <summary>What became of an acceptance that is no batch in the store.</summary>
internal enum Settlement
{
    None = 0,
    Duplicate = 1,
    DeadLetter = 2,
}

/// <summary>
/// The book of acceptances: how many each server made, each counted once however often its record comes, and the record ids of those that
/// did not become a batch. Writer only, inside a transaction that its owner opened.
/// </summary>
internal sealed class AcceptanceBook(Database database)
{
    private readonly SqliteStatement _find = database.Prepare("SELECT outcome FROM settled WHERE record_id = ?");
    private readonly SqliteStatement _settle = database.Prepare("INSERT INTO settled(record_id, arrived, outcome) VALUES (?, ?, ?)");
    private readonly SqliteStatement _forget = database.Prepare("DELETE FROM settled WHERE record_id = ?");
    private readonly SqliteStatement _add = database.Prepare(
        "INSERT INTO acceptances(server, count) VALUES (?1, ?2) ON CONFLICT(server) DO UPDATE SET count = count + ?2");

    // One transaction.
    private long _born;
    private byte[] _owner = [];
    private readonly Dictionary<byte[], long> _counts = new(KeyBytes.Comparer);

    public Settlement Find(ReadOnlySpan<byte> recordId)
    {
        if (!_find.BindBlob(1, recordId).Step())
            return Settlement.None;
        var outcome = (Settlement)_find.Long(0);
        _find.Reset();
        return outcome;
    }

    public void Settle(ReadOnlySpan<byte> recordId, long arrivedUnixMs, Settlement outcome) =>
        _settle.BindBlob(1, recordId).Bind(2, arrivedUnixMs).Bind(3, (long)outcome).Run();

    public void Forget(ReadOnlySpan<byte> recordId) => _forget.BindBlob(1, recordId).Run();

    /// <summary>The source whose records follow: where its history ends, and who owns it.</summary>
    public void Begin(long born, ReadOnlySpan<byte> owner) => (_born, _owner) = (born, owner.ToArray());

    /// <summary>One more acceptance of the server that its record id names; in history only the owner's own is told apart.</summary>
    public void Count(ReadOnlySpan<byte> recordId, long position)
    {
        var counts = _counts.GetAlternateLookup<ReadOnlySpan<byte>>();
        var server = WhoseIn(recordId, position, _born, _owner);
        counts[server] = counts.TryGetValue(server, out var count) ? count + 1 : 1;
    }

    /// <summary>The server that an acceptance counts for; empty: whoever stores it.</summary>
    public static ReadOnlySpan<byte> WhoseIn(ReadOnlySpan<byte> recordId, long position, long born, ReadOnlySpan<byte> owner)
    {
        var server = AcceptanceIds.ServerOf(recordId);
        return position < born && !server.SequenceEqual(owner) ? [] : server;
    }

    /// <summary>Adds what was counted in this transaction.</summary>
    public void Write()
    {
        foreach (var (server, count) in _counts)
            _add.BindText(1, Encoding.ASCII.GetString(server)).Bind(2, count).Run();
    }

    /// <summary>The transaction is over, committed or not.</summary>
    public void Ended() => _counts.Clear();
}
