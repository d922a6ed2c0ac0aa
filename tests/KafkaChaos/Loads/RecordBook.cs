using System.Diagnostics;
using System.Globalization;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace KafkaChaos.Loads;

/// <summary>What became of a record, as far as its sender was told.</summary>
internal enum Fate : byte
{
    /// <summary>Sent, and told nothing yet.</summary>
    Pending,
    Delivered,

    /// <summary>Acknowledged from the local disk.</summary>
    Spilled,
    Refused,
    Unknown,
}

/// <summary>One line of the book.</summary>
/// <param name="Fate">What the sender was told.</param>
/// <param name="Partition">Of a delivered record.</param>
/// <param name="Offset">Of a delivered record.</param>
/// <param name="EndedAt">When it was told, in ticks of <see cref="Stopwatch"/>.</param>
internal readonly record struct BookLine(Fate Fate, int Partition, long Offset, long EndedAt);

/// <summary>The records of one key, numbered from 0 in the order in which they were sent.</summary>
internal sealed class BookPage(int key)
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private BookLine[] _lines = new BookLine[1024];
    private int _count;

    public int Key => key;

    public int Count
    {
        get
        {
            lock (_gate)
                return _count;
        }
    }

    public BookLine this[int number]
    {
        get
        {
            lock (_gate)
                return _lines[number];
        }
    }

    /// <summary>The number of the next record.</summary>
    public int Add()
    {
        lock (_gate)
        {
            while (_count >= _lines.Length)
                Array.Resize(ref _lines, _lines.Length * 2);
            return _count++;
        }
    }

    /// <summary>Leaves the first numbers to an earlier process.</summary>
    public void SkipTo(int number)
    {
        lock (_gate)
            _count = number;
    }

    public void Write(int number, BookLine line)
    {
        lock (_gate)
        {
            if (_lines[number].Fate != Fate.Pending)
                throw new InvalidOperationException($"key-{key} {number} ended twice: {_lines[number]}, then {line}.");
            _lines[number] = line;
        }
    }
}

/// <summary>The book of a run: every record that was sent and what its sender was told of it.</summary>
/// <param name="keys">How many keys there are.</param>
/// <param name="file">Keeps it beyond this process.</param>
internal sealed class RecordBook(int keys, BookFile? file = null)
{
    private const int MostReasons = 12;
    private readonly BookPage[] _pages = [.. Enumerable.Range(0, keys).Select(key => new BookPage(key))];
    private readonly Lock _gate = new();
    private int _pending;

    // Guarded by _gate.
    private readonly Dictionary<string, int> _reasons = [];
    private readonly List<string> _thrown = [];

    public int Keys => _pages.Length;

    public BookPage this[int key] => _pages[key];

    /// <summary>Sends whose outcome has not come.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>What sends threw, which none should.</summary>
    public IReadOnlyList<string> Thrown
    {
        get
        {
            lock (_gate)
                return [.. _thrown];
        }
    }

    /// <summary>Why records were refused or are unknown, with how many of each.</summary>
    public string Reasons
    {
        get
        {
            lock (_gate)
                return string.Join("; ", _reasons.Select(reason => $"{reason.Value} x {reason.Key}"));
        }
    }

    public static string KeyName(int key) => string.Create(CultureInfo.InvariantCulture, $"key-{key}");

    /// <summary>The value of a record: its number, and padding.</summary>
    public static byte[] Value(int number, int bytes)
    {
        var value = new byte[bytes];
        var text = string.Create(CultureInfo.InvariantCulture, $"{number}.");
        Array.Fill(value, (byte)'x');
        Encoding.ASCII.GetBytes(text, value);
        return value;
    }

    public long Count(Fate fate) => _pages.Sum(page => Enumerable.Range(0, page.Count).LongCount(number => page[number].Fate == fate));

    public long Total => _pages.Sum(page => (long)page.Count);

    /// <summary>Notes that a send has begun.</summary>
    public int Begin(BookPage page)
    {
        Interlocked.Increment(ref _pending);
        var number = page.Add();
        file?.Begin(page.Key, number);
        return number;
    }

    public void End(BookPage page, int number, in DeliveryOutcome outcome)
    {
        var fate = outcome.Status switch
        {
            DeliveryStatus.Delivered => Fate.Delivered,
            DeliveryStatus.Spilled => Fate.Spilled,
            DeliveryStatus.Refused => Fate.Refused,
            DeliveryStatus.Unknown => Fate.Unknown,
            _ => throw new InvalidOperationException($"A send ended with {outcome}."),
        };
        page.Write(number, new BookLine(fate, outcome.Partition, outcome.Offset, Stopwatch.GetTimestamp()));
        file?.End(page.Key, number, fate);
        Interlocked.Decrement(ref _pending);
        if (fate is Fate.Refused or Fate.Unknown)
            CountReason($"{fate} {outcome.Error}: {outcome.Reason}");
    }

    public void EndThrown(BookPage page, int number, Exception thrown)
    {
        Interlocked.Decrement(ref _pending);
        lock (_gate)
            _thrown.Add($"key-{page.Key} {number}: {thrown}");
    }

    private void CountReason(string reason)
    {
        lock (_gate)
        {
            if (_reasons.Count < MostReasons || _reasons.ContainsKey(reason))
                _reasons[reason] = _reasons.GetValueOrDefault(reason) + 1;
            else
                _reasons["others"] = _reasons.GetValueOrDefault("others") + 1;
        }
    }
}
