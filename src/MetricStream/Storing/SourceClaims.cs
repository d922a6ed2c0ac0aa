namespace MetricStream.Storing;

/// <summary>Takes sources over: see <see cref="IMetricStore.Claim"/>. Writer only, inside a transaction that its owner opened.</summary>
internal sealed class SourceClaims(Database database)
{
    private readonly SqliteStatement _insert = database.Prepare(
        "INSERT OR IGNORE INTO sources(source, position, born, quarantined) VALUES (?, ?, ?, 0)");

    private readonly SqliteStatement _select = database.Prepare("SELECT position, fence FROM sources WHERE source = ?");
    private readonly SqliteStatement _update = database.Prepare(
        "UPDATE sources SET position = ?, fence = ?, owner = ?, lost = lost + ? WHERE source = ?");

    public SourceClaim Take(in SourceBounds bounds, string owner)
    {
        _insert.BindText(1, bounds.Source).Bind(2, bounds.First).Bind(3, bounds.HistoryEnd).Run();
        _select.BindText(1, bounds.Source).Step();
        var (known, fence) = (_select.Long(0), _select.Long(1) + 1);
        _select.Reset();
        var (position, lost, rewound) = StoreFence.Settle(known, bounds);
        _update.Bind(1, position).Bind(2, fence).BindText(3, owner).Bind(4, lost).BindText(5, bounds.Source).Run();
        return new SourceClaim(bounds.Source, position, fence, lost, rewound);
    }
}
