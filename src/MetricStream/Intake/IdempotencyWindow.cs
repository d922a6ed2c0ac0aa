using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MetricStream.Intake;

/// <summary>SHA-256 of a body after decoding: two bodies under one batch id are the same exactly when their digests are.</summary>
internal readonly record struct BodyDigest(UInt128 High, UInt128 Low)
{
    public static BodyDigest Of(ReadOnlySpan<byte> body)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(body, hash);
        var halves = MemoryMarshal.Cast<byte, UInt128>(hash);
        return new BodyDigest(halves[0], halves[1]);
    }
}

/// <summary>One batch id of one client in the window. What it says of an accepted batch never changes.</summary>
internal sealed class WindowEntry(string name)
{
    // Guarded by the window's gate until Accepted, constant from then on.
    internal TaskCompletionSource? Outcome;

    public string Name { get; } = name;

    public bool IsAccepted { get; internal set; }

    public BodyDigest Digest { get; internal set; }

    public int MetricCount { get; internal set; }

    internal long AcceptedAt { get; set; }

    // A string, this object, their slots in dictionary and queue: estimated at 300 B with 36-byte ids.
    internal long Bytes => (2L * Name.Length) + 200;
}

/// <summary>How a request came in: as the first of its id (it must end in Accept or Abandon), or after one that is still
/// in flight (<see cref="FirstEnds"/>) or already accepted (null).</summary>
internal readonly record struct WindowEntrance(WindowEntry Entry, bool IsFirst, Task? FirstEnds);

/// <summary>
/// The batch ids that intake remembers: those in flight, and those accepted lately within a bound on number, bytes and age, the oldest
/// forgotten first. An id in flight is never forgotten. What is forgotten is decided by the store.
/// </summary>
internal sealed class IdempotencyWindow(IntakeOptions bounds, TimeProvider clock)
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Dictionary<string, WindowEntry> _entries = new(StringComparer.Ordinal);
    private readonly Queue<WindowEntry> _accepted = new();
    private long _acceptedBytes;

    public int Count
    {
        get
        {
            lock (_gate)
                return _entries.Count;
        }
    }

    public int AcceptedCount
    {
        get
        {
            lock (_gate)
                return _accepted.Count;
        }
    }

    /// <summary>Registers a request under its batch id; neither part may contain a line feed, which parts them.</summary>
    public WindowEntrance Enter(string clientId, string batchId)
    {
        var name = string.Concat(clientId, "\n", batchId);
        lock (_gate)
        {
            // Beyond the id window the store has forgotten the id too: a re-send is a batch of its own.
            while (_accepted.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.AcceptedAt) >= bounds.IdWindow)
                ForgetOldestLocked();
            ref var slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, name, out var known);
            if (!known)
            {
                slot = new WindowEntry(name);
                return new WindowEntrance(slot, IsFirst: true, FirstEnds: null);
            }

            var entry = slot ?? throw new InvalidOperationException($"The window holds no entry under its name '{name}'.");
            if (entry.IsAccepted)
                return new WindowEntrance(entry, IsFirst: false, FirstEnds: null);
            // Continuations run elsewhere: the first must not work off its followers before it answers.
            entry.Outcome ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return new WindowEntrance(entry, IsFirst: false, entry.Outcome.Task);
        }
    }

    /// <summary>The batch is durable. Those who wait find it accepted when they enter again.</summary>
    public void Accept(WindowEntry entry, BodyDigest digest, int metricCount)
    {
        TaskCompletionSource? outcome;
        lock (_gate)
        {
            DemandInFlightLocked(entry);
            entry.Digest = digest;
            entry.MetricCount = metricCount;
            entry.IsAccepted = true;
            entry.AcceptedAt = clock.GetTimestamp();
            _accepted.Enqueue(entry);
            _acceptedBytes += entry.Bytes;
            EvictLocked();
            outcome = entry.Outcome;
            entry.Outcome = null;
        }

        outcome?.SetResult();
    }

    /// <summary>Nothing was promised for the batch. The next to enter is the first.</summary>
    public void Abandon(WindowEntry entry)
    {
        TaskCompletionSource? outcome;
        lock (_gate)
        {
            DemandInFlightLocked(entry);
            _entries.Remove(entry.Name);
            outcome = entry.Outcome;
        }

        outcome?.SetResult();
    }

    private void EvictLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "The window's gate is held.");
        while (_accepted.Count > bounds.WindowEntries || _acceptedBytes > bounds.WindowBytes)
            ForgetOldestLocked();
        Debug.Assert(_acceptedBytes >= 0 && _accepted.Count <= _entries.Count, "Accepted ids are a part of all ids.");
    }

    private void ForgetOldestLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "The window's gate is held.");
        var oldest = _accepted.Dequeue();
        _acceptedBytes -= oldest.Bytes;
        if (!oldest.IsAccepted || !_entries.Remove(oldest.Name))
            throw new InvalidOperationException($"The window lost track of '{oldest.Name}', which it had accepted.");
    }

    // Always on: an entry that ends twice would let a second payload under one id be acknowledged.
    private void DemandInFlightLocked(WindowEntry entry)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "The window's gate is held.");
        if (entry.IsAccepted || !_entries.TryGetValue(entry.Name, out var held) || !ReferenceEquals(held, entry))
            throw new InvalidOperationException($"Batch id '{entry.Name}' ended twice: its first request must end in exactly one way.");
    }
}
