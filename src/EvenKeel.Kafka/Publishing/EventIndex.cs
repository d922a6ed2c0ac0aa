namespace EvenKeel.Kafka.Publishing;

/// <summary>An unsettled event as the index knows it: where it lies, and who may send it.</summary>
internal sealed class IndexedEvent(long position, EventKey? key)
{
    public long Position { get; } = position;

    public EventKey? Key { get; } = key;

    /// <summary>Where it lies in the log; while it is not durable, a sequence that it cannot lie before.</summary>
    public long Sequence { get; set; }

    public int Bytes { get; set; }

    /// <summary>When the claim is over, in ticks of the clock; never, while it is not durable.</summary>
    public long DueAt { get; set; } = long.MaxValue;

    public Guid Claim { get; set; }
}

/// <summary>The unsettled events of the disk repository, by position, by key in order, by place in the log, and by when they are due.
/// Not safe for threads: its owner's gate guards it.</summary>
internal sealed class EventIndex
{
    private static readonly Comparer<IndexedEvent> ByPosition = Comparer<IndexedEvent>.Create((a, b) => a.Position.CompareTo(b.Position));

    private readonly Dictionary<long, IndexedEvent> _events = [];
    private readonly Dictionary<EventKey, SortedSet<IndexedEvent>> _keys = [];
    private readonly SortedSet<(long Sequence, long Position)> _places = [];

    // Of each key the first event alone, and every event without a key: the others are due with it.
    private readonly SortedSet<(long DueAt, long Position)> _due = [];

    public int Count => _events.Count;

    public long Bytes { get; private set; }

    /// <summary>Where the unsettled event lies that is first in the log; null when there is none.</summary>
    public long? FirstSequence => _places.Count > 0 ? _places.Min.Sequence : null;

    public IndexedEvent Add(long position, EventKey? key, long sequence)
    {
        var added = new IndexedEvent(position, key) { Sequence = sequence };
        _events.Add(position, added);
        _places.Add((sequence, position));
        if (key is { } of)
        {
            if (!_keys.TryGetValue(of, out var run))
                _keys.Add(of, run = new SortedSet<IndexedEvent>(ByPosition));
            else
                _due.Remove((run.Min!.DueAt, run.Min.Position));
            run.Add(added);
            _due.Add((run.Min!.DueAt, run.Min.Position));
        }
        else
        {
            _due.Add((added.DueAt, position));
        }
        return added;
    }

    public IndexedEvent? Find(long position) => _events.GetValueOrDefault(position);

    public bool IsFirst(IndexedEvent of) => of.Key is not { } key || ReferenceEquals(_keys[key].Min, of);

    public void Place(IndexedEvent of, long sequence, int bytes)
    {
        _places.Remove((of.Sequence, of.Position));
        Bytes += bytes - of.Bytes;
        (of.Sequence, of.Bytes) = (sequence, bytes);
        _places.Add((sequence, of.Position));
    }

    public void SetDue(IndexedEvent of, long dueAt)
    {
        var first = IsFirst(of);
        if (first)
            _due.Remove((of.DueAt, of.Position));
        of.DueAt = dueAt;
        if (first)
            _due.Add((dueAt, of.Position));
    }

    public void Remove(IndexedEvent of)
    {
        _events.Remove(of.Position);
        _places.Remove((of.Sequence, of.Position));
        _due.Remove((of.DueAt, of.Position));
        Bytes -= of.Bytes;
        if (of.Key is not { } key)
            return;
        var run = _keys[key];
        run.Remove(of);
        if (run.Count == 0)
            _keys.Remove(key);
        else
            _due.Add((run.Min!.DueAt, run.Min.Position));
    }

    /// <summary>
    /// Due events, the longest due first, each with those behind it of its key that are durable: depth by depth, so that one long run does
    /// not keep out the others.
    /// </summary>
    public List<IndexedEvent> Due(long now, int maxEvents)
    {
        var due = _due.TakeWhile(next => next.DueAt <= now).Take(maxEvents).Select(next => _events[next.Position]).ToList();
        var runs = due.Where(first => first.Key is not null).Select(first => Behind(first).GetEnumerator()).ToList();
        while (due.Count < maxEvents && runs.Count > 0)
        {
            runs.RemoveAll(run => !run.MoveNext());
            due.AddRange(runs.Take(maxEvents - due.Count).Select(run => run.Current));
        }
        return due;
    }

    private IEnumerable<IndexedEvent> Behind(IndexedEvent first) =>
        _keys[first.Key.GetValueOrDefault()].Skip(1).TakeWhile(next => next.Bytes > 0);

    /// <summary>The durable events that lie first in the log, those of the first <paramref name="below"/> sequences.</summary>
    public List<IndexedEvent> Oldest(long below, int maxEvents) =>
        [.. _places.TakeWhile(place => place.Sequence < below).Select(place => _events[place.Position]).Where(old => old.Bytes > 0)
            .Take(maxEvents)];
}
