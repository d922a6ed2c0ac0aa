using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Tests.Consuming.History;

/// <summary>The history of one group in this process: what was written, handled and committed, as it happened.</summary>
internal sealed class GroupHistory
{
    private readonly ConcurrentQueue<Written> _written = new();
    private readonly ConcurrentQueue<Handled> _handled = new();
    private readonly ConcurrentDictionary<(int Partition, long Offset), byte> _different = new();
    private readonly ConcurrentQueue<Committed> _committed = new();
    private readonly ConditionalWeakTable<PartitionLedger, string> _assignments = [];
    private int _lastAssignment;

    public int WrittenCount => _written.Count;

    public int HandledDifferent => _different.Count;

    public IReadOnlyCollection<Committed> Commits => _committed;

    public void Write(string topic, string key, DeliveryOutcome outcome) =>
        _written.Enqueue(new Written(topic, outcome.Partition, outcome.Offset, key));

    public void Handle(ReceivedRecord record)
    {
        _handled.Enqueue(new Handled(
            Stopwatch.GetTimestamp(), Assignment(record.View.Place.Page.Ledger), record.Topic, record.Partition, record.Offset));
        _different.TryAdd((record.Partition, record.Offset), 0);
    }

    /// <summary>The rule, with each commit that it makes written down.</summary>
    public CommitRule Watch(CommitRule rule) => rule with
    {
        Committable = ledger =>
        {
            var offset = rule.Committable(ledger);
            if (offset != PartitionLedger.None)
            {
                _committed.Enqueue(new Committed(
                    Stopwatch.GetTimestamp(), Assignment(ledger), ledger.Partition.Topic, ledger.Partition.Partition, offset, ledger.IsLost));
            }
            return offset;
        },
    };

    public List<Finding> Check() => HistoryChecker.Check(_written, _handled, _committed);

    private string Assignment(PartitionLedger ledger) =>
        _assignments.GetValue(ledger, _ => $"assignment {Interlocked.Increment(ref _lastAssignment)}");
}
