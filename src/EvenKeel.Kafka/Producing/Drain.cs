using System.Diagnostics;

namespace EvenKeel.Kafka.Producing;

/// <summary>
/// The bounded end of a producer, on a thread of its own, since flushing blocks. Every record that was accepted has its outcome when it is
/// over.
/// </summary>
internal sealed class Drain
{
    // A flush goes on by itself for so long; its end is noticed at once, a cancellation or a replaced client after at most this.
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    private readonly ProducerContext _context;
    private readonly SendLoop _loop;
    private readonly DrainLimits _limits;
    private readonly CancellationToken _hurry;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly ProducerCounters _before;
    private readonly TaskCompletionSource<DrainReport> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Drain(ProducerContext context, SendLoop loop, DrainLimits limits, CancellationToken hurry)
    {
        _context = context;
        _loop = loop;
        _limits = limits;
        _hurry = hurry;
        _before = context.Backlog.Counters;
    }

    /// <summary>Closes the intake at once and drains in the background.</summary>
    /// <param name="context">The producer's parts.</param>
    /// <param name="loop">Its send loop, stopped at the end.</param>
    /// <param name="limits">How long it waits.</param>
    /// <param name="hurry">Ends the waiting, not the drain.</param>
    public static Task<DrainReport> Start(ProducerContext context, SendLoop loop, DrainLimits limits, CancellationToken hurry)
    {
        var drain = new Drain(context, loop, limits, hurry);
        context.Backlog.CloseIntake();
        new Thread(drain.Run) { IsBackground = true, Name = "drain" }.Start();
        return drain._done.Task;
    }

    private void Run()
    {
        try
        {
            // 1. Everything goes on, those in line included, and lingering batches leave at once.
            FlushUntil(_limits.Flush);

            // 2. Who is still in line is refused: with the broker as slow as this, no room will come.
            RefuseWaiting();

            // 3. What librdkafka has may still end.
            FlushUntil(_limits.Flush + _limits.Stragglers);

            // 4. The send loop refuses what it still has, purges the client, and takes the last reports.
            _loop.Stop();
            Debug.Assert(_context.Backlog.IsEmptyForGood, "every record has its outcome when the send loop has ended");
            var after = _context.Backlog.Counters;
            _done.SetResult(new DrainReport(
                after.Delivered - _before.Delivered, after.Refused - _before.Refused, after.Unknown - _before.Unknown,
                Stopwatch.GetElapsedTime(_start), _context.Leftovers.Take()));
        }
#pragma warning disable CA1031 // A defect must reach whoever awaits the drain, not end the process from a thread of ours.
        catch (Exception defect)
        {
            _done.SetException(defect);
        }
#pragma warning restore CA1031
    }

    private void FlushUntil(TimeSpan limit)
    {
        while (!_context.Backlog.IsEmptyForGood && !_hurry.IsCancellationRequested)
        {
            var left = limit - Stopwatch.GetElapsedTime(_start);
            if (left <= TimeSpan.Zero)
                return;
            _loop.Client.TryFlush(left < Slice ? left : Slice);
            _context.Backlog.WaitUntilEmpty(left < Look ? left : Look);
        }
    }

    private void RefuseWaiting()
    {
        var ended = _context.Backlog.RentEnded();
        foreach (var wait in _context.Backlog.TakeWaiting())
        {
            var outcome = DeliveryOutcome.Refused(
                KafkaErrorCode.QueueFull, "The producer was stopped while the record waited for room in it.");
            if (_context.Leftovers.IsKeeping)
                _context.Leftovers.Add(wait.Topic, wait.Entry, wait.Bytes, outcome);
            ended.AddWithoutSlot(wait.Send, outcome);
        }
        _context.Backlog.Release(ended);
    }
}
