using System.Diagnostics;

namespace EvenKeel.Testing.Topics;

/// <summary>
/// The inbox holds what has arrived for the test that asked last, and what that test has seen so far. The fetch thread fills it, the test
/// empties it; what belongs to an earlier question is not let in.
/// </summary>
internal sealed class RecordInbox
{
    // Far more than a test looks at. At it the fetch thread waits, and librdkafka stops fetching by itself.
    private const int MaxWaiting = 100_000;
    private const int MaxSeenKept = 20;
    private const int MaxTroubles = 10;

    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Queue<TestRecord> _waiting = [];
    private readonly Queue<TestRecord> _seen = [];
    private readonly List<string> _troubles = [];
    private readonly SortedDictionary<int, PartitionSpan> _partitions = [];
    private TaskCompletionSource _changed = NewSignal();
    private long _seenCount;
    private bool _isOpen;

    public bool IsFull
    {
        get
        {
            lock (_gate)
                return _waiting.Count >= MaxWaiting;
        }
    }

    public bool IsOpen
    {
        get
        {
            lock (_gate)
                return _isOpen;
        }
    }

    /// <summary>Completes with the next change; take it before looking.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
                return _changed.Task;
        }
    }

    /// <summary>Starts anew: only records from these offsets on are let in.</summary>
    public void Open(IReadOnlyDictionary<int, long> starts)
    {
        lock (_gate)
        {
            ClearLocked();
            foreach (var (partition, offset) in starts)
                _partitions[partition] = new PartitionSpan(offset, offset);
            _isOpen = true;
        }
    }

    /// <summary>Lets nothing in until it is opened again.</summary>
    public void Close()
    {
        lock (_gate)
        {
            ClearLocked();
            _isOpen = false;
        }
    }

    /// <summary>Where a partition begins for the test that asked last; null if it is none of its.</summary>
    public long? NextOf(int partition)
    {
        lock (_gate)
            return _partitions.TryGetValue(partition, out var span) ? span.Next : null;
    }

    public void Add(TestRecord record)
    {
        lock (_gate)
        {
            // A record before the next one was fetched for an earlier question, or twice around a rebalance.
            if (!_isOpen || !_partitions.TryGetValue(record.Partition, out var span) || record.Offset < span.Next)
                return;
            _partitions[record.Partition] = span with { Next = record.Offset + 1 };
            _waiting.Enqueue(record);
            SignalLocked();
        }
    }

    /// <summary>The partition has been read up to here: also over what is no record, such as the marks of transactions.</summary>
    public void Reach(int partition, long offset)
    {
        lock (_gate)
        {
            if (!_isOpen || !_partitions.TryGetValue(partition, out var span) || offset <= span.Next)
                return;
            _partitions[partition] = span with { Next = offset };
            SignalLocked();
        }
    }

    /// <summary>Something that a person who waits in vain would like to know.</summary>
    public void Note(string trouble)
    {
        lock (_gate)
        {
            if (_isOpen && _troubles.Count < MaxTroubles && !_troubles.Contains(trouble))
                _troubles.Add(trouble);
        }
    }

    public bool TryTake(out TestRecord? record)
    {
        lock (_gate)
        {
            if (!_waiting.TryDequeue(out record))
                return false;
            _seenCount++;
            _seen.Enqueue(record);
            if (_seen.Count > MaxSeenKept)
                _seen.Dequeue();
            return true;
        }
    }

    public bool HasReached(IReadOnlyDictionary<int, long> ends)
    {
        lock (_gate)
            return ends.All(end => _partitions.TryGetValue(end.Key, out var span) && span.Next >= end.Value);
    }

    /// <summary>What the test has seen so far, for the message of a wait that failed.</summary>
    public string Describe()
    {
        lock (_gate)
        {
            var lines = new List<string>
            {
                _seenCount == 0
                    ? "Seen: no record."
                    : $"Seen: {_seenCount} record(s){(_seenCount > _seen.Count ? $", the last {_seen.Count}" : "")}:",
            };
            lines.AddRange(_seen.Select(record => $"  {record}"));
            lines.Add(
                "Read: " + string.Join(", ", _partitions.Select(entry => $"[{entry.Key}] from {entry.Value.Start} to {entry.Value.Next}")));
            if (_troubles.Count > 0)
                lines.Add("The client said: " + string.Join(" | ", _troubles));
            return string.Join('\n', lines);
        }
    }

    private void ClearLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "the inbox is cleared under its gate");
        _waiting.Clear();
        _seen.Clear();
        _troubles.Clear();
        _partitions.Clear();
        _seenCount = 0;
        SignalLocked();
    }

    private void SignalLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "a change is told under the gate");
        _changed.SetResult();
        _changed = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What was asked for of one partition: from the start, read up to next.</summary>
    private readonly record struct PartitionSpan(long Start, long Next);
}
