using System.Diagnostics;

namespace EvenKeel.Kafka.Producing;

/// <summary>A record whose caller waits for room, with its bytes; never used twice: a late cancellation finds only itself.</summary>
internal sealed class CreditWait(string topic, in SendEntry entry, byte[] bytes, PendingSend send)
{
    private readonly SendEntry _entry = entry;

    public string Topic { get; } = topic;

    public ref readonly SendEntry Entry => ref _entry;

    public byte[] Bytes { get; } = bytes;

    public PendingSend Send { get; } = send;

    // Guarded by the backlog's gate.
    public CancellationTokenRegistration Registration { get; set; }

    public bool IsWaiting { get; set; }

    public CreditWait? Previous { get; set; }

    public CreditWait? Next { get; set; }
}

/// <summary>
/// The credits of a producer, in records and bytes, and the line of those who wait for some, first come first served: nobody passes
/// a large record that waits. Belongs to the backlog; all of it is guarded by the backlog's gate.
/// </summary>
internal sealed class CreditLine(int maxRecords, long maxBytes)
{

    public CreditWait? First { get; private set; }

    public CreditWait? Last { get; private set; }

    public int Waiting { get; private set; }

    public int UsedRecords { get; private set; }

    public long UsedBytes { get; private set; }

    /// <summary>Whether records or bytes are in use to this share of their limit, 0 to 1, or more.</summary>
    public bool IsUsedTo(double share) => UsedRecords >= share * maxRecords || UsedBytes >= share * maxBytes;

    public bool TryTake(int recordBytes)
    {
        if (UsedRecords == maxRecords || maxBytes - UsedBytes < recordBytes)
            return false;
        UsedRecords++;
        UsedBytes += recordBytes;
        return true;
    }

    public void Return(int recordBytes)
    {
        UsedRecords--;
        UsedBytes -= recordBytes;
        Debug.Assert(UsedRecords >= 0 && UsedBytes >= 0, "credits came back that were never taken");
    }

    public void Append(CreditWait wait)
    {
        wait.IsWaiting = true;
        wait.Previous = Last;
        if (Last is null)
            First = wait;
        else
            Last.Next = wait;
        Last = wait;
        Waiting++;
    }

    public void Remove(CreditWait wait)
    {
        Debug.Assert(wait.IsWaiting, "only who waits can leave the line");
        wait.IsWaiting = false;
        if (wait.Previous is null)
            First = wait.Next;
        else
            wait.Previous.Next = wait.Next;
        if (wait.Next is null)
            Last = wait.Previous;
        else
            wait.Next.Previous = wait.Previous;
        wait.Previous = wait.Next = null;
        Waiting--;

        // Does not wait for a cancellation that runs: that one finds IsWaiting false under the gate.
        wait.Registration.Unregister();
        wait.Registration = default;
    }
}
