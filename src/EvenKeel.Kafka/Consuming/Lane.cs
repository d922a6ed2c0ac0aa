using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// A lane: a thread that runs the handler over the records of its keys, one after another. It owns a record from <see cref="Push"/> until
/// it destroyed its message, and holds the native client for as long as it lives, so that no message outlives its client.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "Its thread disposes of the run as its last act.")]
internal sealed class Lane
{
    private readonly ConsumerContext _context;
    private readonly HandlerRun _run;
    private readonly RecordView[] _views;

    // Consume loop only.
    private readonly List<LedgerPlace> _staged = [];

    // Guarded by _gate.
    private readonly object _gate = new();
    private List<LedgerPlace> _incoming = [];
    private bool _isStopped;

    // Lane only; read by any thread.
    private long _endedRecords;
    private long _endedBytes;
    private long _doneRecords;
    private long _busySince;

    public Lane(ConsumerContext context, int number)
    {
        _context = context;
        _run = new HandlerRun(context, number);
        _views = new RecordView[context.Handler.IsPerRecord ? 1 : context.Options.MaxBatchRecords];
        for (var i = 0; i < _views.Length; i++)
            _views[i] = new RecordView();
        if (!context.Client.Handle.TryHold())
            throw new ObjectDisposedException(context.Client.Handle.Name, "The consumer's client is closed.");
        Thread = new Thread(Work) { IsBackground = true, Name = $"lane {number} {context.Client.Handle.Name}" };
        Thread.Start();
    }

    public Thread Thread { get; }

    /// <summary>Records that left the lane, done or not.</summary>
    public long EndedRecords => Volatile.Read(ref _endedRecords);

    public long EndedBytes => Volatile.Read(ref _endedBytes);

    /// <summary>Records that were handled, or became dead letters.</summary>
    public long DoneRecords => Volatile.Read(ref _doneRecords);

    /// <summary>How long the handler has been busy with what it has, tries included; zero if it has nothing.</summary>
    public TimeSpan BusyFor
    {
        get
        {
            var since = Volatile.Read(ref _busySince);
            return since == 0 ? TimeSpan.Zero : _context.Time.GetElapsedTime(since);
        }
    }

    /// <summary>Prepares a record to be handed over. Consume loop only.</summary>
    public void Stage(LedgerPlace place) => _staged.Add(place);

    /// <summary>Hands over what is staged. Consume loop only.</summary>
    public void Push()
    {
        if (_staged.Count == 0)
            return;
        lock (_gate)
        {
            var wasEmpty = _incoming.Count == 0;
            _incoming.AddRange(_staged);
            if (wasEmpty)
                Monitor.Pulse(_gate);
        }
        _staged.Clear();
    }

    /// <summary>Ends the thread after what it has; entries given up by then are discarded without the handler.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Work()
    {
        var work = new List<LedgerPlace>();
        try
        {
            while (WaitForWork(ref work))
            {
                if (!_context.Handler.IsPerRecord)
                    work = ByPartition(work);
                var places = CollectionsMarshal.AsSpan(work);
                while (places.Length > 0)
                    places = places[HandleNext(places)..];
                work.Clear();
            }
            _run.Dispose();
            _context.Client.Handle.ReleaseHold();
        }
#pragma warning disable CA1031 // A defect ends the consumer, not the process. The hold stays: messages of this lane may be left.
        catch (Exception defect)
        {
            _context.Fail(new InvalidOperationException($"{Thread.Name} ended by a defect: {defect.Message}", defect));
        }
#pragma warning restore CA1031
    }

    private bool WaitForWork(ref List<LedgerPlace> work)
    {
        lock (_gate)
        {
            while (_incoming.Count == 0)
            {
                if (_isStopped)
                    return false;
                Monitor.Wait(_gate);
            }
            (work, _incoming) = (_incoming, work);
            return true;
        }
    }

    /// <summary>The records of each partition together, in order: a call of a batch handler takes those of one, and small fetches of
    /// several partitions come interleaved.</summary>
    private static List<LedgerPlace> ByPartition(List<LedgerPlace> work)
    {
        var first = work[0].Page.Ledger;
        return work.TrueForAll(place => place.Page.Ledger == first)
            ? work
            : [.. work.GroupBy(place => place.Page.Ledger).SelectMany(places => places)];
    }

    /// <summary>Handles the first records, as many as go into one call of the handler.</summary>
    private int HandleNext(ReadOnlySpan<LedgerPlace> places)
    {
        // 1. Records of one partition begin together; those given up meanwhile are discarded.
        var (count, seen) = (0, 0);
        for (; seen < places.Length && count < _views.Length && places[seen].Page.Ledger == places[0].Page.Ledger; seen++)
        {
            if (places[seen].Page.TryMove(places[seen].Index, EntryState.Queued, EntryState.Started))
                _views[count++].Open(places[seen]);
            else
                Discard(places[seen]);
        }
        if (count == 0)
            return seen;

        // 2. The handler, with its tries.
        Volatile.Write(ref _busySince, _context.Time.GetTimestamp());
        var done = _run.Run(_views, 0, count);
        Volatile.Write(ref _busySince, 0);

        // 3. Each record leaves: its message first, then its state, after which the entry is the consume loop's again.
        var bytes = 0L;
        for (var i = 0; i < count; i++)
        {
            var place = _views[i].Place;
            _views[i].Close();
            bytes += place.Entry.Bytes;
            ConsumerClient.Destroy(place.Entry.Message);
            place.Page.Move(place.Index, i < done ? EntryState.Done : EntryState.GivenUp);
        }
        Volatile.Write(ref _doneRecords, _doneRecords + done);
        Leave(count, bytes);
        return seen;
    }

    private void Discard(LedgerPlace place)
    {
        ConsumerClient.Destroy(place.Entry.Message);
        Leave(1, place.Entry.Bytes);
    }

    private void Leave(int records, long bytes)
    {
        Volatile.Write(ref _endedRecords, _endedRecords + records);
        Volatile.Write(ref _endedBytes, _endedBytes + bytes);
        _context.RoomMade();
    }
}
