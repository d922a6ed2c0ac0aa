namespace EvenKeel.Kafka.Native;

/// <summary>
/// One event taken from a queue, or none. Messages, lists and texts read from it are librdkafka's and gone when it is disposed of;
/// until then it is a call of its client.
/// </summary>
internal readonly unsafe ref struct ClientEvent
{
    private readonly EventQueue.QueueUse _use;
    private readonly nint _event;

    internal ClientEvent(EventQueue.QueueUse use, nint nativeEvent)
    {
        _use = use;
        _event = nativeEvent;
    }

    public bool IsNone => _event == 0;

    public EventKinds Kind => _event == 0 ? EventKinds.None : Librdkafka.EventType(_event);

    public nint Pointer => _event;

    /// <summary>For calls made while the event is handled.</summary>
    public nint Client => _use.Client;

    /// <summary>Messages of a delivery report not yet taken, or 1 for a fetched record.</summary>
    public int MessageCount => (int)Librdkafka.EventMessageCount(_event);

    public KafkaErrorCode Error => Librdkafka.EventError(_event);

    public string ErrorText => NativeText.Read(Librdkafka.EventErrorText(_event));

    /// <summary>The error ended the client: <see cref="NativeClient.FatalError"/> says why.</summary>
    public bool IsFatal => Librdkafka.EventErrorIsFatal(_event) != 0;

    /// <summary>What was handed to the request that this answers.</summary>
    public nint Opaque => Librdkafka.EventOpaque(_event);

    /// <summary>JSON.</summary>
    public string Statistics => NativeText.Read(Librdkafka.EventStats(_event));

    /// <summary>The setting <c>sasl.oauthbearer.config</c> of a token refresh.</summary>
    public string ConfigText => NativeText.Read(Librdkafka.EventConfigString(_event));

    /// <summary>The partitions of a rebalance or commit; null when it names none. The event's own: do not destroy it.</summary>
    public NativePartitionList* Partitions => Librdkafka.EventPartitions(_event);

    /// <summary>The partition that an error is about; 0 when it is about none.</summary>
    public NativePartition* Partition => Librdkafka.EventPartition(_event);

    /// <summary>Takes the next messages.</summary>
    /// <param name="messages">Room for pointers to <see cref="NativeMessage"/>.</param>
    /// <returns>How many were written; 0 when all are taken.</returns>
    public int TakeMessages(Span<nint> messages)
    {
        fixed (nint* array = messages)
            return (int)Librdkafka.EventMessageArray(_event, (NativeMessage**)array, (nuint)messages.Length);
    }

    /// <summary>The one record of a fetch event; null when it is taken.</summary>
    public NativeMessage* TakeMessage() => Librdkafka.EventMessageNext(_event);

    /// <summary>A log line with syslog's level: 3 error, 4 warning, 6 information, 7 debug.</summary>
    public (int Level, string Facility, string Text) Log
    {
        get
        {
            byte* facility, text;
            int level;
            return Librdkafka.EventLog(_event, &facility, &text, &level) == 0
                ? (level, NativeText.Read(facility), NativeText.Read(text))
                : throw new InvalidOperationException($"An event of kind {Kind} is no log line.");
        }
    }

    public void Dispose()
    {
        if (_event != 0)
            Librdkafka.EventDestroy(_event);
        _use.Dispose();
    }
}
