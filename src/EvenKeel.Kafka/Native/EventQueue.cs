namespace EvenKeel.Kafka.Native;

/// <summary>
/// A queue of a client's events (<c>rd_kafka_queue_t</c>): what librdkafka tells, taken in the application's own loop instead of by
/// callbacks on librdkafka's threads. Polled by one thread at a time. Goes with its client; a partition's queue is disposed of earlier.
/// </summary>
internal sealed unsafe class EventQueue : IDisposable
{
    private readonly ClientHandle _client;
    private readonly nint _queue;

    // One for the owner and one for each poll and its event: whoever leaves last destroys, so that a queue is never freed under a poll.
    private int _uses = 1;
    private int _disposed;

    private EventQueue(ClientHandle client, nint queue)
    {
        _client = client;
        _queue = queue;
        client.Own(OwnedKind.Queue, queue);
    }

    /// <summary>Delivery reports, errors, log lines, statistics.</summary>
    public static EventQueue Main(ClientHandle client)
    {
        using var call = client.Enter();
        return new EventQueue(client, Librdkafka.QueueGetMain(call.Client));
    }

    /// <summary>Fetched records, rebalances, and what was forwarded to it.</summary>
    public static EventQueue Consumer(ClientHandle client)
    {
        using var call = client.Enter();
        return Existing(client, Librdkafka.QueueGetConsumer(call.Client), "a consumer queue (is it a consumer with a group.id?)");
    }

    /// <summary>The records of one partition, which no longer come to the consumer queue once this is made to stand alone.</summary>
    public static EventQueue Partition(ClientHandle client, string topic, int partition)
    {
        using var call = client.Enter();
        return Existing(client, Librdkafka.QueueGetPartition(call.Client, topic, partition), $"a queue for {topic}[{partition}]");
    }

    /// <summary>An empty queue, for the results of requests or as the target of others.</summary>
    public static EventQueue New(ClientHandle client)
    {
        using var call = client.Enter();
        return new EventQueue(client, Librdkafka.QueueNew(call.Client));
    }

    private static EventQueue Existing(ClientHandle client, nint queue, string what) =>
        queue != 0
            ? new EventQueue(client, queue)
            : throw new KafkaException(KafkaErrorCode.NotConfigured, $"{client.Name} does not have {what}.");

    /// <summary>Events waiting.</summary>
    public int Length
    {
        get
        {
            using var use = Use();
            return (int)Librdkafka.QueueLength(_queue);
        }
    }

    /// <summary>
    /// The next event, or one that <see cref="ClientEvent.IsNone"/> when none came in time or <see cref="Wake"/> was called. Dispose of it
    /// soon and on this thread: it holds up the disposal of the client.
    /// </summary>
    /// <param name="wait">Zero looks and does not wait; whole milliseconds otherwise.</param>
    /// <exception cref="ObjectDisposedException">The client or the queue is disposed of, before or during the wait.</exception>
    public ClientEvent Poll(TimeSpan wait)
    {
        var use = Use();
        return new ClientEvent(use, Librdkafka.QueuePoll(_queue, (int)wait.TotalMilliseconds));
    }

    /// <summary>Ends one poll early: the one that waits, or the next.</summary>
    public void Wake()
    {
        using var use = Use();
        Librdkafka.QueueYield(_queue);
    }

    /// <param name="destination">Gets all events from here on; null makes this queue stand alone.</param>
    public void ForwardTo(EventQueue? destination)
    {
        using var use = Use();
        if (destination is null)
        {
            Librdkafka.QueueForward(_queue, 0);
            return;
        }
        using var other = destination.Use();
        Librdkafka.QueueForward(_queue, destination._queue);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;

        // A client that is closed destroys what it owns by itself.
        if (!_client.TryEnter(out var call))
            return;
        Release();
        call.Dispose();
    }

    /// <summary>The pointer for a native call that stores or uses the queue; only inside the use.</summary>
    internal nint Pointer => _queue;

    internal QueueUse Use()
    {
        var call = _client.Enter();
        if (Volatile.Read(ref _disposed) != 0 || !TryAddUse())
        {
            call.Dispose();
            throw new ObjectDisposedException(nameof(EventQueue), $"This queue of {_client.Name} is disposed.");
        }
        return new QueueUse(this, call);
    }

    private bool TryAddUse()
    {
        var uses = Volatile.Read(ref _uses);
        while (uses > 0)
        {
            var seen = Interlocked.CompareExchange(ref _uses, uses + 1, uses);
            if (seen == uses)
                return true;
            uses = seen;
        }
        return false;
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _uses) != 0)
            return;
        _client.Disown(OwnedKind.Queue, _queue);
        Librdkafka.QueueDestroy(_queue);
    }

    /// <summary>A call of the client that also keeps the queue.</summary>
    internal readonly ref struct QueueUse(EventQueue queue, ClientHandle.Call call)
    {
        private readonly EventQueue _owner = queue;
        private readonly ClientHandle.Call _call = call;

        public nint Client => _call.Client;

        public void Dispose()
        {
            _owner.Release();
            _call.Dispose();
        }
    }
}
