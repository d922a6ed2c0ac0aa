namespace MetricStream.Storing;

/// <summary>What the writer knows of one row: its id, and what the open transaction adds to it.</summary>
internal sealed class KeyedRow(long id)
{
    public long Id { get; } = id;

    /// <summary>Samples of a series, or acknowledged batches of a client, in the open transaction.</summary>
    public long Added { get; set; }

    /// <summary>The latest arrival of a client in the open transaction, Unix ms.</summary>
    public long LatestUnixMs { get; set; }
}

/// <summary>
/// The writer's memory of rows by their key bytes (series by canonical key, clients by name), so that a sample costs no SELECT.
/// It only remembers: a key it does not know is looked up, or inserted, through <paramref name="findOrInsert"/>. So it starts empty,
/// and beyond <paramref name="limit"/> keys it forgets everything after a commit; a million series cost about 250 MB here at most,
/// and beyond that each sample of a forgotten series costs one indexed SELECT.
/// </summary>
/// <remarks>Writer only. Rows inserted by a transaction that was rolled back are forgotten with it.</remarks>
internal sealed class KeyedRows(Func<byte[], long> findOrInsert, int limit)
{
    private readonly Dictionary<byte[], KeyedRow> _rows = new(KeyBytes.Comparer);
    private readonly List<byte[]> _learned = [];
    private readonly List<KeyedRow> _touched = [];

    public int Count => _rows.Count;

    public KeyedRow? Known(ReadOnlySpan<byte> key) =>
        _rows.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var row) ? row : null;

    public KeyedRow Row(ReadOnlySpan<byte> key)
    {
        if (Known(key) is { } known)
            return known;
        var owned = key.ToArray();
        var row = new KeyedRow(findOrInsert(owned));
        _rows.Add(owned, row);
        _learned.Add(owned);
        return row;
    }

    public void Add(KeyedRow row, long count, long unixMs)
    {
        if (row.Added == 0)
        {
            _touched.Add(row);
            row.LatestUnixMs = unixMs;
        }

        row.Added += count;
        row.LatestUnixMs = Math.Max(row.LatestUnixMs, unixMs);
    }

    /// <summary>The rows that the open transaction adds to, in the order of their ids, which is the order on disk.</summary>
    public IReadOnlyList<KeyedRow> Touched()
    {
        _touched.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        return _touched;
    }

    public void Forget(ReadOnlySpan<byte> key) => _rows.GetAlternateLookup<ReadOnlySpan<byte>>().Remove(key);

    public void Committed()
    {
        EndTransaction();
        if (_rows.Count > limit)
            _rows.Clear();
    }

    public void RolledBack()
    {
        foreach (var key in _learned)
            _rows.Remove(key);
        EndTransaction();
    }

    private void EndTransaction()
    {
        foreach (var row in _touched)
            row.Added = 0;
        _touched.Clear();
        _learned.Clear();
    }
}

/// <summary>Equality of key bytes, for lookups by span.</summary>
internal sealed class KeyBytes : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly KeyBytes Comparer = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(byte[] key) => GetHashCode(key.AsSpan());

    public bool Equals(ReadOnlySpan<byte> key, byte[] other) => key.SequenceEqual(other);

    // Seeded per process: a client that chooses tags cannot choose collisions.
    public int GetHashCode(ReadOnlySpan<byte> key)
    {
        var hash = new HashCode();
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    public byte[] Create(ReadOnlySpan<byte> key) => key.ToArray();
}
