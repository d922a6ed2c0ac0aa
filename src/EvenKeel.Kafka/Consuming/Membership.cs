using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The membership in the group: which partitions are this member's, each with its ledger, and the change that is under way. A change is
/// answered late on purpose, while the loop goes on: until work in hand has ended, or the caller's store has told the positions. Consume
/// loop only, but for <see cref="Ledgers"/>.
/// </summary>
internal sealed unsafe class Membership(ConsumerContext context, OffsetCommits commits)
{
    private readonly Dictionary<TopicPartition, PartitionLedger> _owned = [];
    private readonly Dictionary<(nint Topic, int Partition), PartitionLedger> _found = [];
    private readonly List<(PositionClaim Claim, PartitionLedger Fenced)> _claimsAnew = [];
    private volatile PartitionLedger[] _ledgers = [];
    private ((nint Topic, int Partition) Key, PartitionLedger? Ledger) _lastFound;
    private Revocation? _revocation;
    private PositionClaim? _assignment;

    /// <summary>The ledgers of the partitions that are this member's. Any thread.</summary>
    public PartitionLedger[] Ledgers => _ledgers;

    public bool IsChanging => _revocation is not null || _assignment is not null;

    public long Rebalances { get; private set; }

    public long Abandoned { get; private set; }

    /// <summary>The ledger of a message's partition; null if the partition is not this member's.</summary>
    public PartitionLedger? Find(NativeMessage* message)
    {
        // librdkafka's handle of a topic stays the same for as long as a partition of it is assigned; with each change this is forgotten.
        var key = (message->Topic, message->Partition);
        if (_lastFound.Key == key && _lastFound.Ledger is not null)
            return _lastFound.Ledger;
        if (!_found.TryGetValue(key, out var ledger))
        {
            var partition = new TopicPartition(NativeText.Read(Librdkafka.TopicName(message->Topic)), message->Partition);
            if (!_owned.TryGetValue(partition, out ledger))
                return null;
            _found[key] = ledger;
        }
        _lastFound = (key, ledger);
        return ledger;
    }

    /// <summary>Takes what the group decided. One that comes while another is under way ends that one at once.</summary>
    public void Take(in ClientEvent rebalance)
    {
        Rebalances++;
        if (_revocation is not null)
            EndRevocation(isLost: context.Client.Handle.IsAssignmentLost());
        WithdrawAssignment();
        var partitions = Read(rebalance.Partitions);
        if (rebalance.Error == KafkaErrorCode.AssignPartitions)
            BeginAssignment(partitions);
        else
            BeginRevocation(partitions);
    }

    /// <summary>Brings the change under way forward.</summary>
    public void Step()
    {
        if (_revocation is { } revocation)
        {
            var isLost = context.Client.Handle.IsAssignmentLost();
            if (isLost || revocation.IsOver(context.Time))
                EndRevocation(isLost);
        }
        if (_assignment is not null && _assignment.TryTake(out var positions))
        {
            _assignment = null;
            Assign(positions);
        }
        while (context.TryTakeFenced(out var fenced))
            ClaimAnew(fenced.Ledger, fenced.Failure);
        for (var i = _claimsAnew.Count - 1; i >= 0; i--)
            TakeClaimAnew(i);
    }

    /// <summary>Closes all ledgers; an assignment that was not answered is refused. First step of the end.</summary>
    public void BeginEnd()
    {
        if (_assignment is not null)
        {
            WithdrawAssignment();
            Unassign([]);
        }
        foreach (var (claim, _) in _claimsAnew)
            claim.Withdraw();
        _claimsAnew.Clear();
        foreach (var ledger in _ledgers)
            ledger.Close();
    }

    /// <summary>Gives up what is left in hand.</summary>
    public int AbandonAll()
    {
        var unfinished = 0;
        foreach (var ledger in _ledgers)
        {
            unfinished += ledger.Unfinished();
            ledger.Settle();
            ledger.Abandon();
        }
        Abandoned += unfinished;
        return unfinished;
    }

    private static List<TopicPartition> Read(NativePartitionList* list)
    {
        var partitions = new List<TopicPartition>();
        for (var i = 0; list is not null && i < list->Count; i++)
            partitions.Add(new TopicPartition(NativeText.Read(list->Elements[i].Topic), list->Elements[i].Partition));
        return partitions;
    }

    private void BeginAssignment(List<TopicPartition> partitions)
    {
        if (context.Store is null || partitions.Count == 0)
            Assign([.. partitions.Select(partition => new ClaimedPosition(partition, null, 0))]);
        else
            _assignment = PositionClaim.Start(context, partitions);
    }

    private void WithdrawAssignment()
    {
        _assignment?.Withdraw();
        _assignment = null;
    }

    private void Assign(IReadOnlyList<ClaimedPosition> positions)
    {
        using var list = new PartitionList();
        foreach (var position in positions)
        {
            list.Add(position.Partition.Topic, position.Partition.Partition, StartOf(position));
            _owned[position.Partition] = new PartitionLedger(position.Partition, position.Fence);
            context.Client.Route(position.Partition);
        }
        Changed();
        if (context.Client.IsCooperative)
            context.Client.Handle.AssignMore(list);
        else
            context.Client.Handle.Assign(list);
        Tell(ConsumerNoticeKind.Assigned, positions.Select(position => position.Partition), "assigned");
    }

    private long StartOf(ClaimedPosition position)
    {
        if (position.NextOffset is { } next)
            return next;
        if (context.Store is null)
            return SpecialOffset.Invalid; // librdkafka asks the coordinator for the committed offset.
        return context.Options.StartAt switch
        {
            StartAt.Earliest => SpecialOffset.Beginning,
            StartAt.Latest => SpecialOffset.End,
            _ => throw new InvalidOperationException(
                $"The store has no position for {position.Partition}, and StartAt is Fail: write one, or let it be Earliest or Latest."),
        };
    }

    private void BeginRevocation(List<TopicPartition> partitions)
    {
        var ledgers = new List<PartitionLedger>();
        foreach (var partition in partitions)
        {
            if (!_owned.TryGetValue(partition, out var ledger))
                continue;
            ledger.Close();
            ledgers.Add(ledger);
        }
        _revocation = new Revocation(partitions, ledgers, context.Time.GetTimestamp(), context.Options.Deadlines.Revoke);
        Step();
    }

    private void EndRevocation(bool isLost)
    {
        var (partitions, ledgers) = (_revocation!.Partitions, _revocation.Ledgers);
        _revocation = null;
        var unfinished = 0;
        foreach (var ledger in ledgers)
        {
            unfinished += ledger.Unfinished();
            ledger.Settle();
            if (isLost)
                ledger.Lose();
            else
                ledger.Abandon();
            _owned.Remove(ledger.Partition);
        }
        Abandoned += unfinished;

        // What is lost is somebody else's by now: a commit would set that member's position back, or be refused.
        if (!isLost || context.Rule.CommitsAfterLoss)
            commits.Send(ledgers);
        Changed();
        Unassign(partitions);
        Tell(isLost ? ConsumerNoticeKind.Lost : ConsumerNoticeKind.Revoked, partitions, isLost ? "lost" : "revoked");
        if (unfinished > 0)
        {
            Tell(
                ConsumerNoticeKind.Abandoned, partitions,
                $"given up with {unfinished} records in hand, which come again; Deadlines.Revoke is {context.Options.Deadlines.Revoke}");
        }
    }

    private void Unassign(List<TopicPartition> partitions)
    {
        if (!context.Client.IsCooperative)
        {
            context.Client.Handle.Assign((NativePartitionList*)null);
            return;
        }
        using var list = new PartitionList();
        foreach (var partition in partitions)
            list.Add(partition.Topic, partition.Partition);
        context.Client.Handle.Unassign(list);
    }

    private void ClaimAnew(PartitionLedger ledger, Exception failure)
    {
        if (!_owned.TryGetValue(ledger.Partition, out var owned) || owned != ledger || !ledger.IsOpen)
            return;
        context.Notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.Fenced,
            $"A write for {ledger.Partition} was refused under fence {ledger.Fence}: {failure.Message} This member still owns the "
            + "partition as far as it knows, and claims it anew.",
            exception: failure));
        ledger.Abandon();
        _claimsAnew.Add((PositionClaim.Start(context, [ledger.Partition]), ledger));
    }

    private void TakeClaimAnew(int index)
    {
        var (claim, fenced) = _claimsAnew[index];
        if (!_owned.TryGetValue(fenced.Partition, out var owned) || owned != fenced)
        {
            claim.Withdraw();
            _claimsAnew.RemoveAt(index);
            return;
        }
        if (!claim.TryTake(out var positions))
            return;
        _claimsAnew.RemoveAt(index);
        _owned[fenced.Partition] = new PartitionLedger(fenced.Partition, positions[0].Fence);
        Changed();
        using var list = new PartitionList().Add(fenced.Partition.Topic, fenced.Partition.Partition, StartOf(positions[0]));

        // Without a wait: records from before are void at once, and those from the new position follow.
        context.Client.Handle.Seek(list, TimeSpan.Zero);
    }

    private void Changed()
    {
        _found.Clear();
        _lastFound = default;
        _ledgers = [.. _owned.Values];
    }

    private void Tell(ConsumerNoticeKind kind, IEnumerable<TopicPartition> partitions, string what) =>
        context.Notices.Tell(new ConsumerNotice(kind, $"{string.Join(", ", partitions)}: {what}."));

    /// <summary>Partitions that the group takes away, until their work has ended or the time is over.</summary>
    private sealed record Revocation(List<TopicPartition> Partitions, List<PartitionLedger> Ledgers, long Since, TimeSpan Limit)
    {
        public bool IsOver(TimeProvider time)
        {
            foreach (var ledger in Ledgers)
                ledger.Settle();
            return time.GetElapsedTime(Since) >= Limit || Ledgers.TrueForAll(ledger => ledger.Unfinished() == 0);
        }
    }
}
