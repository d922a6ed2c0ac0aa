using System.Diagnostics;

namespace MetricStream.Load;

/// <summary>What the sender knows of a batch.</summary>
internal enum Outcome
{
    /// <summary>Never sent, or no byte of it left: it must not be stored.</summary>
    NotSent = 0,

    /// <summary>Answered by 2xx: it must be stored exactly once.</summary>
    Acknowledged = 1,

    /// <summary>Answered by 4xx: it must not be stored.</summary>
    Refused = 2,

    /// <summary>No answer, or one that promises nothing (5xx): it may be stored, at most once.</summary>
    Unknown = 3,
}

/// <summary>
/// The outcome book of a run remembers what became of every batch, in two bits each, by client. A client's page is written by that client's
/// loop alone and read when the loop has ended. It outlives a run's servers: a second run with the same book goes on behind the last
/// number.
/// </summary>
internal sealed class OutcomeBook
{
    private readonly OutcomePage[] _pages;

    public OutcomeBook(string runId, int clients)
    {
        RunId = runId;
        _pages = [.. Enumerable.Range(0, clients).Select(_ => new OutcomePage())];
    }

    /// <summary>Part of every client and batch id, so that runs against one server do not meet.</summary>
    public string RunId { get; }

    public int Clients => _pages.Length;

    public OutcomePage Page(int client) => _pages[client];

    public long Count(Outcome outcome) => _pages.Sum(page => page.CountOf(outcome));

    /// <summary>A run id that no other run has: 8 letters and digits.</summary>
    public static string NewRunId() => Guid.NewGuid().ToString("N")[..8];
}

/// <summary>One client's outcomes: number → two bits.</summary>
internal sealed class OutcomePage
{
    private const int PerByte = 4;

    private readonly long[] _counts = new long[4];
    private byte[] _bits = new byte[64];

    /// <summary>The number the next new batch gets; every number below it was taken.</summary>
    public int Next { get; private set; }

    public int Take()
    {
        if (Next / PerByte >= _bits.Length) Array.Resize(ref _bits, _bits.Length * 2);
        _counts[(int)Outcome.NotSent]++;
        return Next++;
    }

    public void Set(int number, Outcome outcome)
    {
        Debug.Assert(number < Next, "only a number that was taken has an outcome");
        _counts[(int)this[number]]--;
        _counts[(int)outcome]++;
        var shift = number % PerByte * 2;
        ref var cell = ref _bits[number / PerByte];
        cell = (byte)((cell & ~(3 << shift)) | ((int)outcome << shift));
    }

    public Outcome this[int number] => number < 0 || number >= Next
        ? Outcome.NotSent
        : (Outcome)((_bits[number / PerByte] >> (number % PerByte * 2)) & 3);

    public long CountOf(Outcome outcome) => _counts[(int)outcome];
}
