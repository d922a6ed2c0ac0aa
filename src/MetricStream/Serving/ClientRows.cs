using MetricStream.Intake;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>
/// The clients as <c>/api/stats</c> shows them: the store's counts and those of intake as one row each. Acknowledged is the larger of two
/// counts that agree at rest: what the store has processed, and what it had at the start plus what intake has acknowledged since.
/// </summary>
internal sealed class ClientRows(IMetricStore store, IntakeLedger ledger)
{
    private const int MostClients = 10_000;

    private readonly Dictionary<string, long> _acknowledgedBefore = AcknowledgedBefore(store);

    /// <summary>The clients seen last, latest first.</summary>
    public IReadOnlyList<ClientCounters> Read(int limit)
    {
        var rows = store.Clients(limit).ToDictionary(c => c.ClientId);
        foreach (var live in ledger.Snapshot().Where(c => c.ClientId.Length > 0))
        {
            var kept = rows.GetValueOrDefault(live.ClientId);
            rows[live.ClientId] = new ClientCounters(
                live.ClientId,
                Math.Max(kept.Acknowledged, _acknowledgedBefore.GetValueOrDefault(live.ClientId) + live.Acknowledged),
                kept.Rejected + live.UnsavedRejected,
                Math.Max(kept.LastSeenUnixMs, live.LastSeenUnixMs),
                live.LastRefusal);
        }
        return [.. rows.Values.OrderByDescending(c => c.LastSeenUnixMs).Take(limit)];
    }

    private static Dictionary<string, long> AcknowledgedBefore(IMetricStore store)
    {
        try
        {
            return store.Clients(MostClients).ToDictionary(c => c.ClientId, c => c.Acknowledged);
        }
        catch (StoreUnavailableException)
        {
            return []; // A shared store may be away at the start; its own count is told once it is there.
        }
    }
}
