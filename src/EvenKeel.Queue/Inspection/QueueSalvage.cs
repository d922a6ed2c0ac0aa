namespace EvenKeel.Queue.Inspection;

/// <summary>How a queue is salvaged.</summary>
public sealed record SalvageOptions
{
    /// <summary>The source's id where no file tells it any more; null: as the files say.</summary>
    public Guid? QueueId { get; init; }

    /// <summary>The sequence to begin with; the new queue then has no readers, and whoever reads it begins at its front. Null (default):
    /// at the smallest position of a reader, so that what every reader has done with is not done again, and every reader goes on where it
    /// stood. Where a position cannot be read, that is the oldest record.</summary>
    public long? FromSequence { get; init; }
}

/// <summary>What a salvage took over, and what it could not.</summary>
/// <param name="SourceId">Id of the damaged queue.</param>
/// <param name="NewId">Id of the new one. Sequences begin at 0 again, in the old order.</param>
/// <param name="FromSequence">First sequence of the source that was asked for.</param>
/// <param name="Records">Records taken over.</param>
/// <param name="Acknowledged">Sound records left out because they lie before <paramref name="FromSequence"/>.</param>
/// <param name="LostRecords">Records from there on that could not be read. What a torn tail held is not among them: nobody can count
/// it.</param>
/// <param name="Source">All that was found in the source.</param>
public sealed record SalvageReport(
    Guid SourceId, Guid NewId, long FromSequence, long Records, long Acknowledged, long LostRecords, InspectionSummary Source);

/// <summary>Reads everything that is sound from a damaged queue into a new one. The source is not touched.</summary>
public static class QueueSalvage
{
    private const int WindowBytes = 4 << 20;

    /// <summary>Salvages the queue in <paramref name="source"/> into the folder <paramref name="destination"/>, which must be empty or
    /// absent. Either the whole result is there at the end, durable, or none of it.</summary>
    /// <exception cref="QueueOpenException">The source is no queue, in use, of a later format, unreadable or without a known id; or the
    /// destination is not empty or cannot be made.</exception>
    /// <exception cref="QueueRefusedException">The destination's disk is full or failed.</exception>
    public static async Task<SalvageReport> RunAsync(
        string source, string destination, SalvageOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new SalvageOptions();
        ArgumentException.ThrowIfNullOrWhiteSpace(destination);
        // 1. The source, locked; and a place for the result.
        using var inspection = QueueInspection.Open(source, options.QueueId);
        if (inspection.Id is null)
            throw new QueueOpenException(QueueOpenFailure.Unusable,
                $"No segment header and no reader position in '{inspection.Location}' can be read, so nothing in it can be verified. "
                + "Give the queue's id if it is known from elsewhere (a log, a store that keeps positions under it).");
        var folder = SalvageFolder.Reserve(inspection.Location, destination);
        try
        {
            // 2. Every sound record, in order, then the readers. Closing writes the mark that proves all of it.
            var report = await CopyAsync(inspection, folder.Unfinished, options.FromSequence, cancellation).ConfigureAwait(false);
            // 3. Its name, when it is whole.
            folder.Finish();
            return report;
        }
        catch (Exception error)
        {
            folder.Discard();
            if (error is IOException or UnauthorizedAccessException)
                throw new QueueOpenException(QueueOpenFailure.Unusable,
                    $"The folder '{destination}' cannot be used: {error.Message} Check that it can be written and has room.", error);
            throw;
        }
    }

    private static async Task<SalvageReport> CopyAsync(
        QueueInspection source, string destination, long? wanted, CancellationToken cancellation)
    {
        var from = wanted ?? (source.Readers.Any(r => r.Position is null) ? 0 : source.Readers.Min(r => r.Position) ?? 0);
        var positions = wanted is null ? source.Readers.Where(r => r.Position is not null).ToDictionary(r => r.Name, _ => 0L) : [];
        await using var queue = DurableQueue.Open(
            new DurableQueueOptions { Directory = destination, MaxBytes = long.MaxValue, MaxRecordBytes = 1 << 30 });
        long records = 0, acknowledged = 0, lost = 0, waitingBytes = 0;
        var waiting = new List<Task>();
        var walk = source.NewWalk();
        foreach (var finding in source.Findings(walk))
        {
            cancellation.ThrowIfCancellationRequested();
            if (finding.Damage is { } damage)
                lost += Math.Max(0, damage.FirstSequence + damage.Records - Math.Max(damage.FirstSequence, from));
            if (finding.Record is not { } record)
                continue;
            if (record.Sequence < from)
            {
                acknowledged++;
                continue;
            }
            foreach (var reader in source.Readers.Where(r => positions.ContainsKey(r.Name) && r.Position > record.Sequence))
                positions[reader.Name] = records + 1;
            records++;
            waiting.Add(queue.AppendAsync(record.Payload.Span).AsTask());
            waitingBytes += record.Payload.Length;
            if (waitingBytes < WindowBytes && waiting.Count < 10_000)
                continue;
            await Task.WhenAll(waiting).ConfigureAwait(false);
            waiting.Clear();
            waitingBytes = 0;
        }
        await Task.WhenAll(waiting).ConfigureAwait(false);
        foreach (var (name, position) in positions)
        {
            using var reader = queue.OpenReader(name);
            reader.Seek(position);
            reader.Acknowledge(position);
        }
        return new SalvageReport(source.Id!.Value, queue.Id, from, records, acknowledged, lost, walk.Summarize());
    }
}
