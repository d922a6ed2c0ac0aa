using System.Buffers.Binary;
using EvenKeel.Queue;

namespace Simulation;

/// <summary>The queue broke a promise; the message says which, the seed how to see it again.</summary>
internal sealed class ViolationException(string message) : Exception(message);

/// <summary>One record that somebody tried to append.</summary>
internal sealed class Attempt(int id, int bytes)
{
    public int Id { get; } = id;

    public byte[] Payload { get; } = Make(id, bytes);

    /// <summary>Refused for a reason after which nothing of it may ever be seen.</summary>
    public bool IsNeverThere { get; set; }

    public static byte[] Make(int id, int bytes)
    {
        var payload = new byte[bytes];
        var state = (uint)id * 2654435761u + 1;
        for (var i = 0; i < bytes; i++)
        {
            state = state * 1664525 + 1013904223;
            payload[i] = (byte)(state >> 24);
        }
        if (bytes >= 4)
            BinaryPrimitives.WriteInt32LittleEndian(payload, id);
        return payload;
    }
}

/// <summary>What must be in the log, what may be, and what must not: the promises of the queue, kept beside it.</summary>
internal sealed class LogModel
{
    private readonly List<Attempt> _attempts = [];
    private readonly Dictionary<long, Attempt> _known = [];
    private readonly List<(long From, long To)> _uncertain = [];

    /// <summary>The sequence after the last record known to be durable.</summary>
    public long Durable { get; private set; }

    public Attempt NewAttempt(int bytes)
    {
        var attempt = new Attempt(_attempts.Count, bytes);
        _attempts.Add(attempt);
        return attempt;
    }

    public void Promise(Attempt attempt, long sequence)
    {
        Require(sequence >= Durable, $"record {attempt.Id} was given sequence {sequence}, but all below {Durable} were given before");
        _known.Add(sequence, attempt);
        Durable = sequence + 1;
    }

    /// <summary>From here on, these sequences may be missing: nobody was promised a record under them.</summary>
    public void MayMiss(long from, long to)
    {
        if (to > from)
            _uncertain.Add((from, to));
    }

    public void SkippedTo(long sequence) => Durable = Math.Max(Durable, sequence);

    /// <summary>After opening: reads everything and adopts what turned up without having been promised.</summary>
    public void Adopt(DurableQueue queue)
    {
        Require(queue.Durable >= Durable, $"the log ends at {queue.Durable}, but {Durable} was durable");
        using var reader = new QueueReader(queue, "verification", queue.Head);
        var position = queue.Head;
        var lastId = -1;
        while (reader.TryRead(16, 1 << 16) is { } batch)
        {
            foreach (var (first, count, record) in InOrder(batch))
            {
                Require(first == position, $"sequence {first} follows {position - 1}");
                position += count;
                if (record is not { } found)
                {
                    CheckMissing(first, count, "after opening");
                    continue;
                }
                var attempt = _known.TryGetValue(first, out var known) ? known : TurnedUp(found, lastId);
                Check(found, attempt);
                Require(attempt.Id > lastId, $"record {attempt.Id} at {first} comes after record {lastId}");
                lastId = attempt.Id;
                _known[first] = attempt;
            }
        }
        Require(position == queue.Durable, $"reading ended at {position}, the log at {queue.Durable}");
        MayMiss(Durable, queue.Durable);
        Durable = queue.Durable;
    }

    /// <summary>Checks one batch of a reader that stood at <paramref name="from"/>; what lies before <paramref name="gone"/> may be
    /// removed.</summary>
    public void CheckBatch(QueueBatch batch, long from, long gone)
    {
        var position = from;
        foreach (var (first, count, record) in InOrder(batch))
        {
            Require(first == position, $"sequence {first} follows {position - 1}");
            position += count;
            if (record is not { } found)
                CheckMissing(Math.Max(first, gone), count - Math.Max(0, gone - first), "while reading");
            else if (_known.TryGetValue(first, out var attempt))
                Check(found, attempt);
            else
                throw new ViolationException($"record at {first} was never durable");
        }
        Require(position == batch.NextPosition, $"the batch covers up to {position} but says {batch.NextPosition}");
        Require(position <= Durable, $"read up to {position}, beyond what is durable ({Durable})");
    }

    public static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new ViolationException(otherwise);
    }

    private static List<(long First, long Count, QueueRecord? Record)> InOrder(QueueBatch batch)
    {
        var items = batch.Records.Select(r => (First: r.Sequence, Count: 1L, Record: (QueueRecord?)r)).ToList();
        items.AddRange(batch.Damage.Select(d => (d.FirstSequence, d.Records, (QueueRecord?)null)));
        items.Sort((a, b) => a.First.CompareTo(b.First));
        return items;
    }

    private static void Check(QueueRecord found, Attempt attempt) =>
        Require(found.Payload.Span.SequenceEqual(attempt.Payload),
            $"record at {found.Sequence} has {found.Payload.Length} bytes that are not the {attempt.Payload.Length} of record {attempt.Id}");

    private void CheckMissing(long first, long count, string when)
    {
        for (var sequence = first; sequence < first + count; sequence++)
        {
            Require(!_known.TryGetValue(sequence, out var lost), $"durable record {lost?.Id} at {sequence} is missing {when}");
            Require(_uncertain.Exists(w => sequence >= w.From && sequence < w.To),
                $"{sequence} is quarantined {when}, but nothing was ever written there");
        }
    }

    private Attempt TurnedUp(QueueRecord found, int after)
    {
        for (var id = after + 1; id < _attempts.Count; id++)
        {
            if (!_attempts[id].IsNeverThere && found.Payload.Span.SequenceEqual(_attempts[id].Payload))
                return _attempts[id];
        }
        throw new ViolationException($"record at {found.Sequence} ({found.Payload.Length} bytes) was never appended, or before record {after}");
    }
}
