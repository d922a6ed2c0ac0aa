using System.Diagnostics;
using EvenKeel.Kafka.Telemetry;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The run of a lane's records through the handler: tries with pauses between them, and the dead letters in the end. Lane only.
/// </summary>
internal sealed class HandlerRun : IDisposable
{
    private readonly ConsumerContext _context;
    private readonly TaskWait _wait = new();
    private readonly DeadLetters? _deadLetters;
    private readonly Random _chance;

    public HandlerRun(ConsumerContext context, int lane)
    {
        _context = context;
        _chance = new Random(HashCode.Combine(lane, Stopwatch.GetTimestamp()));
        if (context.Options.Failures.DeadLetters is { } options)
            _deadLetters = new DeadLetters(options, context, _wait);
    }

    /// <summary>Handles records of one partition.</summary>
    /// <param name="views">The records.</param>
    /// <param name="start">The first one.</param>
    /// <param name="count">How many.</param>
    /// <returns>How many of them, from the first on, are done; the others are given up, because the partition was.</returns>
    public int Run(RecordView[] views, int start, int count)
    {
        var ledger = views[start].Place.Page.Ledger;
        for (var attempt = 1; ; attempt++)
        {
            // 1. The handler. One that succeeds tells the others that the fault, if any, is not everywhere.
            if (ledger.Abandoned.IsCancellationRequested)
                return 0;
            var failure = Try(views, start, count, attempt);
            if (failure is null)
            {
                _context.Failures.Succeeded();
                return count;
            }

            // 2. What is thrown after the partition was given up is the giving up.
            if (ledger.Abandoned.IsCancellationRequested)
                return 0;
            _context.CountFailure();
            if (failure is FencedException)
            {
                _context.TellFenced(ledger, failure);
                return 0;
            }
            _context.Notices.Tell(new ConsumerNotice(
                ConsumerNoticeKind.HandlerFailed,
                $"The handler failed on {Name(views, start, count)}, attempt {attempt}: {failure.Message}", exception: failure));

            // 3. The tries are used up: a batch is taken apart, so that one record does not take the others along.
            if (attempt >= _context.Options.Failures.Attempts && _deadLetters is not null)
            {
                if (count > 1)
                    return RunOneByOne(views, start, count);
                if (_context.Failures.MayGiveUp() && _deadLetters.TryWrite(views[start], failure, ledger.Abandoned))
                    return count;
            }

            // 4. Again, later. Ends early when the partition is given up.
            ledger.Abandoned.WaitHandle.WaitOne(Pause(attempt));
        }
    }

    public void Dispose() => _wait.Dispose();

    private static string Name(RecordView[] views, int start, int count)
    {
        ref var first = ref views[start].Place.Entry;
        var partition = views[start].Place.Page.Ledger.Partition;
        return count == 1 ? $"{partition}@{first.Offset}" : $"{count} records from {partition}@{first.Offset} on";
    }

    private Exception? Try(RecordView[] views, int start, int count, int attempt)
    {
        for (var i = start; i < start + count; i++)
            views[i].Attempt = attempt;
        using var span = ProcessSpan.Begin(views, start, count, _context.Options.GroupId);
        try
        {
            _wait.End(_context.Handler.Begin(views, start, count, views[start].Place.Page.Ledger.Abandoned));
            return null;
        }
#pragma warning disable CA1031 // User code: whatever it throws decides what becomes of the record.
        catch (Exception thrown)
        {
            span?.SetStatus(ActivityStatusCode.Error, thrown.Message).SetTag(KafkaTelemetry.ErrorTag, thrown.GetType().FullName);
            return thrown;
        }
#pragma warning restore CA1031
    }

    private int RunOneByOne(RecordView[] views, int start, int count)
    {
        for (var done = 0; done < count; done++)
        {
            if (Run(views, start + done, 1) == 0)
                return done;
        }
        return count;
    }

    private TimeSpan Pause(int attempt)
    {
        var options = _context.Options.Failures;
        var pause = options.Backoff * Math.Pow(2, Math.Min(attempt - 1, 30));
        pause = pause < options.MaxBackoff ? pause : options.MaxBackoff;
        return pause * (1 - options.Jitter * _chance.NextDouble());
    }
}
