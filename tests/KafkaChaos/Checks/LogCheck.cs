using KafkaChaos.Loads;

namespace KafkaChaos.Checks;

/// <summary>What a check expects beside the rules that always hold.</summary>
internal sealed record Expectations
{
    /// <summary>What a spilling producer promises.</summary>
    public static Expectations OfASpill { get; } = new() { AllowsDoubles = true, HasRecordIds = true };

    /// <summary>Records may be there more than once, with one record id, as a spill's replay may make them. Default false.</summary>
    public bool AllowsDoubles { get; init; }

    /// <summary>How many records may be there more than once: as many as the producer counted that it sent again. Default any.</summary>
    public long? MostDoubles { get; init; }

    /// <summary>Each record has a header <c>record-id</c> of its own. Default false.</summary>
    public bool HasRecordIds { get; init; }

    /// <summary>A record whose delivery does not count, as its topic was deleted after it. Default none.</summary>
    public Func<BookLine, bool> IsForgotten { get; init; } = _ => false;
}

/// <summary>A log check compares the book with Kafka's log: everything that was told must be so.</summary>
internal sealed class LogCheck(RecordBook book, IReadOnlyList<LogRecord> log, Expectations expectations)
{
    private const int MostNamed = 8;
    private readonly Dictionary<string, (int Count, List<string> Examples)> _found = [];
    private readonly Dictionary<string, (int Key, int Number)> _owners = new(StringComparer.Ordinal);

    public long There { get; private set; }

    public long Missing { get; private set; }

    public long Doubled { get; private set; }

    public long OutOfOrder { get; private set; }

    public long UnknownThere { get; private set; }

    public long Forgotten { get; private set; }

    /// <summary>Checks all and tells the verdict.</summary>
    public void Run(Verdict verdict)
    {
        var byKey = new List<LogRecord>[book.Keys];
        foreach (ref var list in byKey.AsSpan())
            list = [];
        foreach (var record in log)
        {
            if (record.Key < 0 || record.Key >= book.Keys || record.Number < 0 || record.Number >= book[record.Key].Count)
                Find("ghosts", $"{record} was never sent");
            else
                byKey[record.Key].Add(record);
        }
        for (var key = 0; key < book.Keys; key++)
            CheckKey(book[key], byKey[key]);
        There = log.Count;
        verdict.Say(
            $"sent {book.Total}, delivered {book.Count(Fate.Delivered)}, spilled {book.Count(Fate.Spilled)}, refused {book.Count(Fate.Refused)}, unknown {book.Count(Fate.Unknown)}, pending {book.Count(Fate.Pending)}; in the log {There}, missing {Missing}, doubled {Doubled}, out of order {OutOfOrder}, unknown and there {UnknownThere}, gone with their topic {Forgotten}");
        verdict.Check(
            Doubled <= (expectations.MostDoubles ?? Doubled),
            $"{Doubled} records are doubled, the producer says that it sent {expectations.MostDoubles} again");
        if (book.Reasons.Length > 0)
            verdict.Say($"reasons: {book.Reasons}");
        foreach (var (what, (count, examples)) in _found)
            verdict.Violated($"{count} {what}: {string.Join("; ", examples)}");
        foreach (var thrown in book.Thrown.Take(MostNamed))
            verdict.Violated($"a send threw: {thrown}");
    }

    private void CheckKey(BookPage page, List<LogRecord> records)
    {
        var times = new int[page.Count];
        var first = new LogRecord[page.Count];
        var last = -1;
        foreach (var record in records)
        {
            if (record.Partition != records[0].Partition)
                Find("keys in two partitions", $"{record} beside partition {records[0].Partition}");
            if (times[record.Number]++ == 0)
            {
                first[record.Number] = record;
                if (record.Number < last)
                    CountOutOfOrder(record, last);
                last = Math.Max(last, record.Number);
            }
            else
            {
                Double(page, record, first[record.Number]);
            }
            CheckRecordId(record);
        }
        for (var number = 0; number < times.Length; number++)
            CheckLine(page, number, times[number], first[number]);
    }

    private void CountOutOfOrder(LogRecord record, int last)
    {
        OutOfOrder++;
        Find("out of order", $"{record} after {last}");
    }

    private void CheckLine(BookPage page, int number, int times, LogRecord record)
    {
        var line = page[number];
        if (line.Fate is Fate.Delivered or Fate.Spilled && times == 0)
        {
            if (expectations.IsForgotten(line))
            {
                Forgotten++;
                return;
            }
            Missing++;
            Find("missing", $"key-{page.Key} {number}, which ended as {line}");
        }
        if (line.Fate == Fate.Refused && times > 0)
            Find("refused and yet there", $"{record}, which ended as {line}");
        if (line.Fate == Fate.Unknown && times > 0)
            UnknownThere++;

        // With doubles the outcome may tell the place of any of them.
        var isElsewhere = line is { Fate: Fate.Delivered, Partition: >= 0 } && times == 1 && (line.Partition, line.Offset) != (record.Partition, record.Offset);
        if (isElsewhere && !expectations.IsForgotten(line))
            Find("not where the outcome says", $"{record}, which ended as {line}");
    }

    private void Double(BookPage page, LogRecord record, LogRecord first)
    {
        Doubled++;
        if (!expectations.AllowsDoubles)
            Find("doubled", $"{record}, first at {first.Offset}, ended as {page[record.Number]}");
        else if (record.RecordId is null || record.RecordId != first.RecordId)
            Find("doubles not to be recognised", $"{record}, first {first}");
    }

    private void CheckRecordId(LogRecord record)
    {
        if (!expectations.HasRecordIds)
            return;
        if (record.RecordId is null)
            Find("without a record id", $"{record}");
        else if (!_owners.TryAdd(record.RecordId, (record.Key, record.Number)) && _owners[record.RecordId] != (record.Key, record.Number))
            Find("record ids used twice", $"{record} and {_owners[record.RecordId]}");
    }

    private void Find(string what, string example)
    {
        var (count, examples) = _found.GetValueOrDefault(what, (0, []));
        if (examples.Count < MostNamed)
            examples.Add(example);
        _found[what] = (count + 1, examples);
    }
}
