using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The commits of one consumer: sent without waiting, each answered by an event, at most one by interval under way. Consume loop only.
/// </summary>
internal sealed unsafe class OffsetCommits(ConsumerContext context)
{
    private readonly Dictionary<nint, List<(PartitionLedger Ledger, long Offset)>> _underway = [];
    private nint _lastId;
    private long _lastSentAt = context.Time.GetTimestamp();
    private long _lastConfirmedAt = context.Time.GetTimestamp();

    public bool IsUnderway => _underway.Count > 0;

    public long Failures { get; private set; }

    public long Confirmed { get; private set; }

    /// <summary>Since the coordinator last confirmed a commit. Any thread.</summary>
    public TimeSpan Age => context.Time.GetElapsedTime(Volatile.Read(ref _lastConfirmedAt));

    /// <summary>Commits when the interval is over and the last commit is answered.</summary>
    public void SendIfDue(IEnumerable<PartitionLedger> ledgers)
    {
        if (IsUnderway || context.Time.GetElapsedTime(_lastSentAt) < context.Options.CommitInterval)
            return;
        Send(ledgers);
        _lastSentAt = context.Time.GetTimestamp();
    }

    /// <summary>Commits what is done and not confirmed. Never waits: while a partition is given back the group must not be held
    /// up.</summary>
    public void Send(IEnumerable<PartitionLedger> ledgers)
    {
        var commit = new List<(PartitionLedger, long)>();
        using var offsets = new PartitionList();
        foreach (var ledger in ledgers)
        {
            var offset = context.Rule.Committable(ledger);
            if (offset == PartitionLedger.None || offset == ledger.Committed || IsUnderwayFor(ledger, offset))
                continue;
            commit.Add((ledger, offset));
            offsets.Add(ledger.Partition.Topic, ledger.Partition.Partition, offset);
            if (ledger.CommittableEpoch >= 0)
                offsets.SetLeaderEpoch(offsets.Count - 1, ledger.CommittableEpoch);
        }
        if (commit.Count == 0)
            return;
        var id = ++_lastId;
        context.Client.Handle.CommitTo(offsets, context.Client.Events, id);
        _underway[id] = commit;
    }

    /// <summary>Takes the answer to a commit.</summary>
    public void Take(in ClientEvent answer)
    {
        if (!_underway.Remove(answer.Opaque, out var commit))
            return;
        var error = answer.Error;
        var list = answer.Partitions;
        var refused = new List<string>();
        foreach (var (ledger, offset) in commit)
        {
            var code = error == KafkaErrorCode.None ? ErrorOf(list, ledger.Partition) : error;
            if (code == KafkaErrorCode.None)
            {
                ledger.Committed = offset;
                Confirmed++;
                Volatile.Write(ref _lastConfirmedAt, context.Time.GetTimestamp());
            }
            else
            {
                error = error == KafkaErrorCode.None ? code : error;
                refused.Add($"{ledger.Partition}@{offset}: {code.Describe()}");
            }
        }
        if (refused.Count == 0)
            return;
        Failures++;
        context.Notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.CommitFailed, $"A commit was refused: {string.Join("; ", refused)}.", error));
    }

    private bool IsUnderwayFor(PartitionLedger ledger, long offset)
    {
        foreach (var commit in _underway.Values)
        {
            if (commit.Contains((ledger, offset)))
                return true;
        }
        return false;
    }

    private static KafkaErrorCode ErrorOf(NativePartitionList* list, TopicPartition partition)
    {
        for (var i = 0; list is not null && i < list->Count; i++)
        {
            ref var entry = ref list->Elements[i];
            if (entry.Partition == partition.Partition && NativeText.Read(entry.Topic) == partition.Topic)
                return entry.Error;
        }
        return KafkaErrorCode.None;
    }
}
