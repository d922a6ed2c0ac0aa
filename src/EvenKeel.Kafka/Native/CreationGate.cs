using System.Diagnostics;

namespace EvenKeel.Kafka.Native;

/// <summary>How long a client waited for its turn to be created, and how long its creation took.</summary>
internal readonly record struct CreationTimes(TimeSpan Waited, TimeSpan Took);

/// <summary>
/// The one place where clients are created, one at a time in this process: creation starts threads and sets up TLS and Kerberos, whose
/// libraries keep process-wide state. Costs nothing after the creation.
/// </summary>
internal static class CreationGate
{
    private static readonly Lock Gate = new();

    // Guarded by Gate; the counter of those inside is not, so that a broken gate shows.
    private static int InsideNow;
    private static int MostAtOnce;
    private static int CreatedSoFar;

    /// <summary>The most creations that ever ran at once: 1.</summary>
    public static int MostInside => Volatile.Read(ref MostAtOnce);

    public static int Created => Volatile.Read(ref CreatedSoFar);

    /// <summary>
    /// Creates a client from the settings, which it takes over. Log lines come to the main queue as events: librdkafka would print them
    /// to standard error.
    /// </summary>
    /// <exception cref="KafkaException">librdkafka refuses the settings in their combination; they stay the caller's.</exception>
    public static ClientHandle Create(ClientKind kind, ClientConfiguration configuration, EventKinds events)
    {
        var start = Stopwatch.GetTimestamp();
        return Run(() =>
        {
            var turn = Stopwatch.GetTimestamp();
            configuration.Set("log.queue", "true").SetEvents(events | EventKinds.Log);
            var client = configuration.CreateClient(kind);
            Librdkafka.SetLogQueue(client, 0).ThrowIfFailed("Sending log lines to the main queue");
            return new ClientHandle(
                client, kind, new CreationTimes(Stopwatch.GetElapsedTime(start, turn), Stopwatch.GetElapsedTime(turn)));
        });
    }

    /// <summary>Creates a client of another binding in its turn among ours: the libraries beneath are the same.</summary>
    public static T Run<T>(Func<T> create)
    {
        lock (Gate)
        {
            MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref InsideNow));
            try
            {
                var created = create();
                CreatedSoFar++;
                return created;
            }
            finally
            {
                Interlocked.Decrement(ref InsideNow);
            }
        }
    }
}
