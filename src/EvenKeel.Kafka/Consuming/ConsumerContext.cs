using System.Collections.Concurrent;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// Which offsets of a partition are committed. One rule is right, and it is the default; tests plant wrong ones to see that they are
/// noticed.
/// </summary>
internal sealed record CommitRule(Func<PartitionLedger, long> Committable, bool CommitsAfterLoss)
{
    public static CommitRule Right { get; } = new(ledger => ledger.Committable, CommitsAfterLoss: false);
}

/// <summary>What the parts of one consumer share, and how its lanes speak to its consume loop.</summary>
internal sealed class ConsumerContext(
    ConsumerOptions options, HandlerCall handler, ConsumerClient client, NoticeBoard<ConsumerNotice> notices)
{
    private readonly ConcurrentQueue<(PartitionLedger Ledger, Exception Failure)> _fenced = new();
    private long _failures;
    private long _deadLetters;
    private Exception? _defect;
    private volatile bool _isWaitingForRoom;

    public ConsumerOptions Options { get; } = options;

    public HandlerCall Handler { get; } = handler;

    public ConsumerClient Client { get; } = client;

    public NoticeBoard<ConsumerNotice> Notices { get; } = notices;

    public FailureGate Failures { get; } = new(options.Failures.DeadLetters?.PauseAfter ?? int.MaxValue, notices);

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public IOffsetStore? Store { get; init; }

    public CommitRule Rule { get; init; } = CommitRule.Right;

    public long HandlerFailures => Interlocked.Read(ref _failures);

    public long DeadLetters => Interlocked.Read(ref _deadLetters);

    /// <summary>A defect of a lane, which ends the consumer.</summary>
    public Exception? Defect => Volatile.Read(ref _defect);

    /// <summary>The consume loop waits for records to leave the lanes: each that does wakes it.</summary>
    public bool IsWaitingForRoom
    {
        get => _isWaitingForRoom;
        set => _isWaitingForRoom = value;
    }

    public void CountFailure() => Interlocked.Increment(ref _failures);

    public void CountDeadLetter() => Interlocked.Increment(ref _deadLetters);

    public void RoomMade()
    {
        if (!_isWaitingForRoom)
            return;
        _isWaitingForRoom = false;
        Client.Wake();
    }

    public void TellFenced(PartitionLedger ledger, Exception failure)
    {
        _fenced.Enqueue((ledger, failure));
        Client.Wake();
    }

    public bool TryTakeFenced(out (PartitionLedger Ledger, Exception Failure) fenced) => _fenced.TryDequeue(out fenced);

    public void Fail(Exception defect)
    {
        Interlocked.CompareExchange(ref _defect, defect, null);
        Client.Wake();
    }
}
