using EvenKeel.Queue;

namespace Simulation;

/// <summary>A log of several segments and groups on a simulated disk, with where each of its records lies, to be damaged in
/// copies.</summary>
internal sealed class SampleLog
{
    private const int Groups = 24;

    private SampleLog(SimulatedDisk disk, DurableQueueOptions options) => (Disk, Options) = (disk, options);

    public SimulatedDisk Disk { get; }

    public DurableQueueOptions Options { get; }

    public List<byte[]> Payloads { get; } = [];

    /// <summary>Sequence of the first record of the last group.</summary>
    public long LastGroup { get; private set; }

    /// <summary>Where each frame lies: (file, offset, bytes, sequence or null for a mark).</summary>
    public List<(string File, long Offset, long Bytes, long? Sequence)> Frames { get; } = [];

    public IEnumerable<string> Files => Disk.List().Select(f => f.Name).Where(n => n.EndsWith(".segment", StringComparison.Ordinal)).Order();

    /// <summary>Writes the log. Closed, it ends with the mark that proves it; killed, its last group is proven by nothing.</summary>
    public static SampleLog Write(bool closed)
    {
        var options = new DurableQueueOptions { Directory = "simulated", SegmentBytes = 4096, MaxBytes = 1 << 20 };
        var log = new SampleLog(new SimulatedDisk(new Random(7)), options);
        using (var queue = Open(log.Disk, options))
            queue.OpenReader("r").Dispose();
        var writer = Open(log.Disk, options);
        var id = writer.Id;
        for (var group = 0; group < Groups; group++)
        {
            log.LastGroup = writer.Durable;
            for (var i = 0; i < 1 + group % 4; i++)
            {
                log.Payloads.Add(Attempt.Make(log.Payloads.Count, group * 37 * (i + 3) % 311));
                _ = writer.AppendAsync(log.Payloads[^1]).AsTask();
            }
            writer.CommitPending();
        }
        if (closed)
            writer.Dispose();
        log.Disk.KillProcess();
        foreach (var file in log.Files)
        {
            LogModel.Require(SegmentFormat.TryParseFileName(file, out var first), $"'{file}' is no segment");
            using var cursor = new SegmentCursor(log.Disk.Open(file), id, first, long.MaxValue, 1 << 16);
            for (var step = CursorStep.NeedsFill; step != CursorStep.End;)
            {
                var start = cursor.Offset;
                step = cursor.Next();
                if (step == CursorStep.NeedsFill)
                    cursor.Fill();
                else if (step is CursorStep.Record or CursorStep.Mark)
                    log.Frames.Add((file, start, cursor.Offset - start, step == CursorStep.Record ? cursor.Sequence : null));
            }
        }
        return log;
    }

    public static DurableQueue Open(SimulatedDisk disk, DurableQueueOptions options) =>
        DurableQueue.Open(options, disk, TimeProvider.System, ownThread: false);

    /// <summary>Opens a damaged copy and reads it up. What is read is checked; returned are what is missing, and what opening
    /// said.</summary>
    public (List<long> Missing, QueueRecovery Recovery, long End) ReadUp(SimulatedDisk damaged)
    {
        using var queue = Open(damaged, Options);
        using var reader = queue.OpenReader("r");
        var missing = new List<long>();
        var position = 0L;
        while (reader.TryRead(10, 4096) is { } batch)
        {
            foreach (var record in batch.Records)
            {
                LogModel.Require(record.Sequence >= position, $"{record.Sequence} after {position - 1}");
                LogModel.Require(record.Payload.Span.SequenceEqual(Payloads[(int)record.Sequence]), $"other bytes at {record.Sequence}");
                position = record.Sequence + 1;
            }
            foreach (var damage in batch.Damage)
                missing.AddRange(Enumerable.Range((int)damage.FirstSequence, (int)damage.Records).Select(s => (long)s));
            LogModel.Require(batch.Quarantined == batch.Damage.Sum(d => d.Records), "Quarantined is not the sum of the damage");
        }
        LogModel.Require(reader.Position == queue.Durable, $"read up to {reader.Position} of {queue.Durable}");
        // The queue goes on as if nothing had been.
        var next = queue.Durable;
        var appended = queue.AppendAsync([1, 2, 3]).AsTask();
        queue.CommitPending();
        LogModel.Require(appended.IsCompletedSuccessfully, "no append after the damage");
        var last = reader.TryRead(10, 4096);
        LogModel.Require(last is { Quarantined: 0, Records: [{ Payload.Length: 3 } only] } && only.Sequence == next,
            $"the record appended at {next} is not read");
        return (missing, queue.Recovery, next);
    }
}
