using EvenKeel.Kafka.Consuming;

namespace EvenKeel.Kafka.Tests.Consuming;

/// <summary>Positions with fence numbers in memory, and the effects that were written with them.</summary>
internal sealed class MemoryPositions : IOffsetStore
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Dictionary<TopicPartition, (long? Next, long Fence)> _positions = [];
    private readonly List<(TopicPartition Partition, long Offset)> _effects = [];

    public List<(TopicPartition Partition, long Offset)> Effects
    {
        get
        {
            lock (_gate)
                return [.. _effects];
        }
    }

    public ValueTask<IReadOnlyList<ClaimedPosition>> ClaimAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var claimed = new List<ClaimedPosition>();
            foreach (var partition in partitions)
            {
                var (next, fence) = _positions.GetValueOrDefault(partition);
                _positions[partition] = (next, fence + 1);
                claimed.Add(new ClaimedPosition(partition, next, fence + 1));
            }
            return ValueTask.FromResult<IReadOnlyList<ClaimedPosition>>(claimed);
        }
    }

    /// <summary>The effect and the position behind it in one step, if the fence is still the record's.</summary>
    public void Write(ReceivedRecord record)
    {
        lock (_gate)
        {
            var (_, fence) = _positions[record.Source];
            if (fence != record.Fence)
                throw new FencedException($"{record} has fence {record.Fence}, the store {fence}.");
            _effects.Add((record.Source, record.Offset));
            _positions[record.Source] = (record.Offset + 1, fence);
        }
    }

    /// <summary>What another member's claim does.</summary>
    public void RaiseFence(TopicPartition partition)
    {
        lock (_gate)
            _positions[partition] = _positions[partition] with { Fence = _positions[partition].Fence + 1 };
    }
}

/// <summary>A store that fails the first times, and then asks the other.</summary>
internal sealed class FailingPositions(IOffsetStore next, int failures) : IOffsetStore
{
    private int _left = failures;

    public ValueTask<IReadOnlyList<ClaimedPosition>> ClaimAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken) =>
        Interlocked.Decrement(ref _left) >= 0
            ? throw new TimeoutException("the store does not answer")
            : next.ClaimAsync(partitions, cancellationToken);
}
