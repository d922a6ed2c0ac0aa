using System.Diagnostics;

namespace EvenKeel.Kafka.Producing;

/// <summary>
/// Counts the records on their way in eras: everything accepted in era n or before has ended once the era is n + 2. So "all that is here
/// now has ended" costs two counters and no look at the slots. Guarded by the backlog's gate.
/// </summary>
/// <remarks>
/// A record that is given back has not ended: who waits for its era would pass it. From the first one on no era ends here any more.
/// </remarks>
internal sealed class Eras
{
    private readonly int[] _records = new int[2];
    private long _turnedAt = Stopwatch.GetTimestamp();

    public long Now { get; private set; }

    /// <summary>Whether a record came back without an outcome.</summary>
    public bool GaveBack { get; private set; }

    /// <summary>A record is accepted.</summary>
    /// <returns>What <see cref="Leave"/> is to be told.</returns>
    public byte Enter()
    {
        var era = (byte)(Now & 1);
        _records[era]++;
        return era;
    }

    public void Leave(byte era) => _records[era]--;

    public void GiveBack() => GaveBack = true;

    /// <summary>Begins a new era if the one before the last has ended.</summary>
    /// <returns>The era now, and for how long at least its oldest record has been here: since the last turn.</returns>
    public (long Era, TimeSpan OldestFor) Turn()
    {
        if (GaveBack || _records[(Now + 1) & 1] > 0)
            return (Now, Stopwatch.GetElapsedTime(_turnedAt));
        Now++;
        _turnedAt = Stopwatch.GetTimestamp();
        return (Now, TimeSpan.Zero);
    }
}
