namespace EvenKeel.Kafka.Publishing;

/// <summary>What one sweep came to.</summary>
/// <param name="Claimed">Events that it took up.</param>
/// <param name="Settled">Of those, settled: published, spilled or refused.</param>
public readonly record struct SweepReport(int Claimed, int Settled);

/// <summary>
/// The sweeper publishes what was recorded and is not settled: left by a crash, a broker that was away, a mark that failed, or recorded in
/// a transaction of the caller. Any number of them may share a repository, in this process or in others.
/// </summary>
/// <remarks>
/// It leaves fresh events alone: their claim is with whoever recorded them until it is over. Keys go side by side; the events of one key
/// one after the other, each when the one before is settled.
/// </remarks>
public sealed class EventSweeper
{
    private readonly EventPublisher _publisher;

    // The loop of RunAsync only.
    private long _tidied;
    private long _damaged;

    /// <summary>A sweeper that publishes through a publisher, with its options and its time.</summary>
    /// <param name="publisher">The publisher.</param>
    public EventSweeper(EventPublisher publisher)
    {
        ArgumentNullException.ThrowIfNull(publisher);
        _publisher = publisher;
    }

    /// <summary>Sweeps until it is stopped. A repository that fails ends one sweep, is told as a notice, and is asked again after the
    /// pause.</summary>
    /// <param name="stop">Ends it, within <see cref="EventPublisherOptions.StopLimit"/> and the repository's own limits.</param>
    /// <returns>Ends when stopped, without an exception.</returns>
    public async Task RunAsync(CancellationToken stop)
    {
        var (options, time) = (_publisher.Options, _publisher.Time);
        _tidied = time.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            var report = default(SweepReport);
            try
            {
                report = await SweepAsync(stop).ConfigureAwait(false);
                if (time.GetElapsedTime(_tidied) >= options.TidyPause)
                    await TidyAsync(stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // A repository may be anybody's; the loop must outlive its failures, each of which is told.
            catch (Exception error)
            {
                _publisher.Measures.SweepFailed();
                _publisher.Tell(new EventNotice(
                    EventNoticeKind.SweepFailed, $"A sweep failed and is repeated after {options.SweepPause}: {error.Message}", error));
            }
#pragma warning restore CA1031
            // What was settled makes room for what is behind it: go on at once while there is progress.
            if (report.Settled == 0)
                await Task.Delay(options.SweepPause, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One sweep: claims what is due, at most <see cref="EventPublisherOptions.SweepEvents"/>, and publishes it.</summary>
    /// <param name="stop">Ends the wait for room at once, and that for answers within the stop limit; what is left is due again.</param>
    /// <returns>What it came to.</returns>
    /// <exception cref="EventRepositoryException">The repository is not available.</exception>
    public async Task<SweepReport> SweepAsync(CancellationToken stop = default)
    {
        // 1. What is due becomes ours, for the time of the claim.
        var claimed = await _publisher.Repository.ClaimDueAsync(_publisher.Options.SweepEvents, stop).ConfigureAwait(false);
        if (claimed.Count == 0)
            return default;

        // 2. One deadline for all answers; a stop brings it nearer.
        using var deadline = new CancellationTokenSource(_publisher.Options.SendLimit, _publisher.Time);
        await using var nearer = stop.UnsafeRegister(
            static state =>
            {
                var (source, limit) = ((CancellationTokenSource, TimeSpan))state!;
                source.CancelAfter(limit);
            },
            (deadline, _publisher.Options.StopLimit)).ConfigureAwait(false);

        // 3. Keys side by side, what has no key each by itself.
        var runs = claimed
            .GroupBy(recorded => (Key: EventKey.Of(recorded.Event), Position: recorded.Event.Key.IsEmpty ? recorded.Position : 0))
            .Select(run => PublishRunAsync([.. run], stop, deadline.Token));
        var settled = await Task.WhenAll(runs).ConfigureAwait(false);
        return new SweepReport(claimed.Count, settled.Sum());
    }

    private async Task<int> PublishRunAsync(List<RecordedEvent> run, CancellationToken stop, CancellationToken deadline)
    {
        var settled = 0;
        foreach (var recorded in run)
        {
            var outcome = await _publisher.SendAndMarkAsync(recorded, stop, deadline).ConfigureAwait(false);
            _publisher.Measures.Ended(recorded.Event.Topic, outcome.Status, swept: true);
            if (!outcome.IsMarked)
                break;
            settled++;
        }

        // Behind an event that is not settled nothing of the key may go; it is due as soon as that one is.
        var behind = run.Skip(settled + 1)
            .Select(recorded => new EventMark(recorded, EventFate.Released, "Behind an earlier event of its key."))
            .ToList();
        if (behind.Count > 0)
            await _publisher.MarkAsync(behind).ConfigureAwait(false);
        return settled;
    }

    private async Task TidyAsync(CancellationToken stop)
    {
        _tidied = _publisher.Time.GetTimestamp();
        await _publisher.Repository.TidyAsync(stop).ConfigureAwait(false);
        var backlog = await _publisher.Repository.CountAsync(stop).ConfigureAwait(false);
        PublisherMeasures.Holds(backlog);
        if (backlog.Damaged > _damaged)
            _publisher.Tell(new EventNotice(
                EventNoticeKind.Damaged,
                $"{backlog.Damaged - _damaged} records of the repository are damaged: events among them are lost, marks among them make "
                + "duplicates. Check the disk."));
        _damaged = backlog.Damaged;
    }
}
