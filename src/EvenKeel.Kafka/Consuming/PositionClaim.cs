using System.Diagnostics.CodeAnalysis;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// A claim of partitions in the caller's store, under way on the thread pool while the consume loop goes on. A store that fails is asked
/// again, with pauses, until the partitions are taken away.
/// </summary>
[SuppressMessage(
    "Reliability", "CA1001",
    Justification = "The store may hold the token for as long as it runs; without a timer it holds nothing.")]
internal sealed class PositionClaim
{
    private readonly ConsumerContext _context;
    private readonly CancellationTokenSource _withdrawn = new();
    private readonly Task<IReadOnlyList<ClaimedPosition>> _task;

    private PositionClaim(ConsumerContext context, IReadOnlyList<TopicPartition> partitions)
    {
        _context = context;
        Partitions = partitions;
        _task = Task.Run(RunAsync);
    }

    public IReadOnlyList<TopicPartition> Partitions { get; }

    public static PositionClaim Start(ConsumerContext context, IReadOnlyList<TopicPartition> partitions) => new(context, partitions);

    /// <summary>The positions, once they are there.</summary>
    public bool TryTake(out IReadOnlyList<ClaimedPosition> positions)
    {
        positions = [];
        if (!_task.IsCompletedSuccessfully)
            return false;
#pragma warning disable CA1849 // It is completed: nothing blocks.
        var awaiter = _task.GetAwaiter();
        positions = awaiter.GetResult();
#pragma warning restore CA1849
        return true;
    }

    /// <summary>Ends it; whatever the store answers from now on is not used.</summary>
    public void Withdraw() => _withdrawn.Cancel();

    private async Task<IReadOnlyList<ClaimedPosition>> RunAsync()
    {
        var options = _context.Options.Failures;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var positions = await _context.Store!.ClaimAsync(Partitions, _withdrawn.Token).ConfigureAwait(false);
                if (positions.Count != Partitions.Count || Partitions.Except(positions.Select(position => position.Partition)).Any())
                {
                    throw new InvalidOperationException(
                        $"The store answered for [{string.Join(", ", positions)}]; it was asked for [{string.Join(", ", Partitions)}].");
                }
                _context.Client.Wake();
                return positions;
            }
#pragma warning disable CA1031 // User code: told, and asked again.
            catch (Exception failure) when (!_withdrawn.IsCancellationRequested)
            {
                _context.Notices.Tell(new ConsumerNotice(
                    ConsumerNoticeKind.StoreFailed,
                    $"The store of positions failed for [{string.Join(", ", Partitions)}], attempt {attempt + 1}: {failure.Message}",
                    exception: failure));
            }
#pragma warning restore CA1031
            var pause = options.Backoff * Math.Pow(2, Math.Min(attempt, 30));
            pause = pause < options.MaxBackoff ? pause : options.MaxBackoff;
            await Task.Delay(pause, _context.Time, _withdrawn.Token).ConfigureAwait(false);
        }
    }
}
