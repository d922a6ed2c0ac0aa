using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace EvenKeel.Kafka.Consuming;

/// <summary>Where a record in hand stands. A lane moves it on from <see cref="Queued"/>, or the consume loop to the last one.</summary>
internal enum EntryState
{
    /// <summary>Taken, and not begun.</summary>
    Queued,

    /// <summary>A handler has it.</summary>
    Started,

    /// <summary>The handler is done, or its dead letter is in the log.</summary>
    Done,

    /// <summary>Nobody handles it here any more: it is committed by nobody, and comes again.</summary>
    GivenUp,
}

/// <summary>A record in hand: where its message is, and how far it got.</summary>
internal struct LedgerEntry
{
    public long Offset;

    /// <summary>librdkafka's message; the lane that has the entry destroys it.</summary>
    public nint Message;

    public int Bytes;
    public int LeaderEpoch;
    public long TimestampMs;

    /// <summary>An <see cref="EntryState"/>, moved by compare and exchange where two may want to.</summary>
    public int State;
}

/// <summary>A run of entries of one ledger; entries never move, so that lanes write their state without a lock.</summary>
internal sealed class LedgerPage(PartitionLedger ledger)
{
    public const int Size = 256;

    public readonly LedgerEntry[] Entries = new LedgerEntry[Size];

    public PartitionLedger Ledger { get; } = ledger;

    public LedgerPage? Next { get; set; }

    public EntryState StateOf(int index) => (EntryState)Volatile.Read(ref Entries[index].State);

    public bool TryMove(int index, EntryState from, EntryState to) =>
        Interlocked.CompareExchange(ref Entries[index].State, (int)to, (int)from) == (int)from;

    public void Move(int index, EntryState to) => Volatile.Write(ref Entries[index].State, (int)to);
}

/// <summary>An entry, by its place.</summary>
internal readonly record struct LedgerPlace(LedgerPage Page, int Index)
{
    public ref LedgerEntry Entry => ref Page.Entries[Index];
}

/// <summary>
/// A partition's ledger for the time that this member owns it: which records were taken, in order, and which are done. Only what lies
/// before the first record that is not done may be committed. Offsets that never come (compacted away, control records) are not waited
/// for: the ledger counts what was taken, not what could have been.
/// </summary>
/// <remarks>
/// Consume loop only, except <see cref="LedgerPage"/>'s entries, which the lanes move, and what is said to be for any thread. An
/// entry that is started ends as done or given up; the loop itself gives up only what is not started.
/// </remarks>
[SuppressMessage(
    "Reliability", "CA1001",
    Justification = "Handlers may hold a token for as long as they run; without a timer it holds nothing.")]
internal sealed class PartitionLedger
{
    public const long None = -1;

    private readonly CancellationTokenSource _abandoned = new();

    // Consume loop only.
    private readonly Stack<LedgerPage> _free = new();
    private LedgerPage _head;
    private LedgerPage _tail;
    private int _headIndex;
    private int _tailIndex;
    private int _lastEpoch = -1;
    private long _inHand;
    private long _committable = None;
    private long _nextOffset = None;
    private long _doneTimestampMs = None;
    private long _firstOffset = None;

    public PartitionLedger(TopicPartition partition, long fence)
    {
        Partition = partition;
        Fence = fence;
        Abandoned = _abandoned.Token;
        _head = _tail = new LedgerPage(this);
    }

    public TopicPartition Partition { get; }

    /// <summary>The number under which this member owns the partition in the caller's store; 0 without a store.</summary>
    public long Fence { get; }

    /// <summary>Cancelled when handlers of this partition are to give up. Any thread.</summary>
    public CancellationToken Abandoned { get; }

    /// <summary>False once the partition is being taken away: nothing more is taken or begun.</summary>
    public bool IsOpen { get; private set; } = true;

    /// <summary>The partition is somebody else's already: nothing of it may be committed.</summary>
    public bool IsLost { get; private set; }

    /// <summary>The offset after the last record taken, where the next is expected; <see cref="None"/> before the first. Any
    /// thread.</summary>
    public long NextOffset => Volatile.Read(ref _nextOffset);

    /// <summary>The offset of the first record taken; <see cref="None"/> before it. Any thread.</summary>
    public long FirstOffset => Volatile.Read(ref _firstOffset);

    /// <summary>The offset after the last record before which all are done; <see cref="None"/> if none is. Any thread.</summary>
    public long Committable => Volatile.Read(ref _committable);

    /// <summary>The leader's epoch of the record before <see cref="Committable"/>; -1 if it is not known.</summary>
    public int CommittableEpoch { get; private set; } = -1;

    /// <summary>The time of the record before <see cref="Committable"/>; <see cref="None"/> before the first. Any thread.</summary>
    public long DoneTimestampMs => Volatile.Read(ref _doneTimestampMs);

    /// <summary>The highest offset of a record that is done, whatever lies before it, plus one.</summary>
    public long HighestDone
    {
        get
        {
            var highest = Committable;
            ForEach((page, index) =>
            {
                if (page.StateOf(index) == EntryState.Done)
                    highest = Math.Max(highest, page.Entries[index].Offset + 1);
            });
            return highest;
        }
    }

    /// <summary>What the group's coordinator confirmed; <see cref="None"/> if nothing by this member.</summary>
    public long Committed { get; set; } = None;

    /// <summary>Records taken and not settled. Any thread.</summary>
    public long InHand => Volatile.Read(ref _inHand);

    /// <summary>
    /// Whether a record is new here. One comes twice when librdkafka pauses a partition while its records are handed out; lower offsets
    /// under a newer leader are other records, in a log that was cut.
    /// </summary>
    public bool IsNew(long offset, int leaderEpoch) => offset >= NextOffset || leaderEpoch > _lastEpoch;

    public LedgerPlace Take(long offset, int leaderEpoch, nint message, int bytes)
    {
        Debug.Assert(IsOpen, "nothing is taken for a partition that is given back");
        if (_tailIndex == LedgerPage.Size)
        {
            var page = _free.TryPop(out var free) ? free : new LedgerPage(this);
            _tail.Next = page;
            _tail = page;
            _tailIndex = 0;
        }
        _tail.Entries[_tailIndex] = new LedgerEntry
        {
            Offset = offset,
            LeaderEpoch = leaderEpoch,
            Message = message,
            Bytes = bytes,
        };
        if (_firstOffset == None)
            Volatile.Write(ref _firstOffset, offset);
        Volatile.Write(ref _nextOffset, offset + 1);
        _lastEpoch = leaderEpoch;
        Volatile.Write(ref _inHand, _inHand + 1);
        return new LedgerPlace(_tail, _tailIndex++);
    }

    /// <summary>Moves <see cref="Committable"/> over what is done, up to the first record that is not.</summary>
    public void Settle()
    {
        while (_head != _tail || _headIndex < _tailIndex)
        {
            if (_headIndex == LedgerPage.Size)
            {
                FreeHead();
                continue;
            }
            if (_head.StateOf(_headIndex) != EntryState.Done)
                return;
            ref var entry = ref _head.Entries[_headIndex++];
            CommittableEpoch = entry.LeaderEpoch;
            Volatile.Write(ref _doneTimestampMs, entry.TimestampMs);
            Volatile.Write(ref _committable, entry.Offset + 1);
            Volatile.Write(ref _inHand, _inHand - 1);
        }
    }

    /// <summary>
    /// Takes no more, and gives up every record that lies behind the last one begun: finishing those would only add to what has to end in
    /// time. What lies before a record that is begun is still handled, or the begun one would have to be handled again.
    /// </summary>
    public void Close()
    {
        IsOpen = false;
        var last = (Page: (LedgerPage?)null, Index: -1);
        ForEach((page, index) =>
        {
            if (page.StateOf(index) is EntryState.Started or EntryState.Done)
                last = (page, index);
        });
        var isBehind = last.Page is null;
        ForEach((page, index) =>
        {
            if (isBehind)
                page.TryMove(index, EntryState.Queued, EntryState.GivenUp);
            isBehind |= page == last.Page && index == last.Index;
        });
    }

    /// <summary>Gives up everything: what is not begun will not be, and the handlers that run are told.</summary>
    public void Abandon()
    {
        IsOpen = false;
        ForEach((page, index) => page.TryMove(index, EntryState.Queued, EntryState.GivenUp));
        _abandoned.Cancel();
    }

    /// <summary>Abandons a partition that is somebody else's already.</summary>
    public void Lose()
    {
        IsLost = true;
        Abandon();
    }

    /// <summary>Records that a handler has or will get, to be waited for; none once the partition is abandoned.</summary>
    public int Unfinished()
    {
        var count = 0;
        if (_abandoned.IsCancellationRequested)
            return count;
        ForEach((page, index) => count += page.StateOf(index) is EntryState.Queued or EntryState.Started ? 1 : 0);
        return count;
    }

    private void FreeHead()
    {
        // Lanes are done with every entry of it: moving one to Done is the last that a lane does.
        var page = _head;
        _head = page.Next!;
        _headIndex = 0;
        page.Next = null;
        if (_free.Count < 4)
            _free.Push(page);
    }

    private void ForEach(Action<LedgerPage, int> visit)
    {
        var start = _headIndex;
        for (var page = _head; page is not null; page = page.Next)
        {
            var end = page == _tail ? _tailIndex : LedgerPage.Size;
            for (var index = start; index < end; index++)
                visit(page, index);
            start = 0;
        }
    }
}
