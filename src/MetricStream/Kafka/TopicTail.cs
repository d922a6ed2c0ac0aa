using EvenKeel.Kafka;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Native;

namespace MetricStream.Kafka;

/// <summary>A message as it was read, copied.</summary>
internal sealed record TopicMessage(int Partition, long Offset, long TimestampMs, byte[] Key, byte[] Value)
{
    public IReadOnlyDictionary<string, byte[]> Headers { get; init; } = new Dictionary<string, byte[]>();
}

/// <summary>
/// A reader of a topic's partitions from given offsets on, in no group: it holds nothing back and commits nothing. One thread uses it at a
/// time.
/// </summary>
internal sealed unsafe class TopicTail : IDisposable
{
    private const int MaxMessages = 1024;

    private readonly ConsumerClient _client;
    private readonly string _topic;
    private readonly nint[] _messages = new nint[MaxMessages];
    private readonly long[] _next;

    /// <exception cref="KafkaException">librdkafka refuses a property.</exception>
    public TopicTail(ConsumerOptions options, string topic, IReadOnlyList<long> from)
    {
        _topic = topic;
        _next = [.. from];
        var properties = new Dictionary<string, string>(options.Properties)
        {
            // Told where a partition ends, it is past what is no message: the marks of transactions.
            ["enable.partition.eof"] = "true",
        };
        properties.Remove("group.instance.id");
        _client = ConsumerClient.Create(options with { Properties = properties });
        try
        {
            using var list = new PartitionList();
            for (var partition = 0; partition < _next.Length; partition++)
            {
                list.Add(topic, partition, _next[partition]);
                _client.Route(new TopicPartition(topic, partition));
            }
            _client.Handle.Assign(list);
        }
        catch (KafkaException)
        {
            Dispose();
            throw;
        }
    }

    /// <summary>By partition the offset after what was read.</summary>
    public IReadOnlyList<long> Next => _next;

    /// <summary>By partition the end as the last fetch told it; where it read to before one did.</summary>
    public long[] KnownEnds()
    {
        var ends = new long[_next.Length];
        for (var partition = 0; partition < ends.Length; partition++)
            ends[partition] = Math.Max(KnownEnd(partition), _next[partition]);
        return ends;
    }

    private long KnownEnd(int partition)
    {
        try
        {
            return _client.Handle.KnownWatermarks(_topic, partition).High;
        }
        catch (KafkaException unknown) when (unknown.Code is KafkaErrorCode.UnknownPartition or KafkaErrorCode.UnknownTopic)
        {
            return long.MinValue; // Not fetched from yet.
        }
    }

    /// <summary>What is there; waits for the first message if there is none.</summary>
    public IReadOnlyList<TopicMessage> Read(TimeSpan wait, bool withHeaders = false)
    {
        Drain();
        var taken = _client.Take(_messages, wait);
        var read = new List<TopicMessage>(taken);
        using var call = _client.Handle.Enter();
        for (var i = 0; i < taken; i++)
        {
            var message = (NativeMessage*)_messages[i];
            if (message->Error == KafkaErrorCode.None)
            {
                read.Add(Copy(message, withHeaders));
                _next[message->Partition] = message->Offset + 1;
            }
            else if (message->Error == KafkaErrorCode.PartitionEnd)
            {
                _next[message->Partition] = Math.Max(_next[message->Partition], message->Offset);
            }
            ConsumerClient.Destroy(_messages[i]);
        }
        return read;
    }

    public void Dispose() => _ = _client.Handle.CloseAsync(DestroyOptions.NoConsumerClose);

    // Errors of connections: it goes on trying, and the producer beside it tells them.
    private void Drain()
    {
        while (true)
        {
            using var told = _client.Events.Poll(TimeSpan.Zero);
            if (told.IsNone)
                return;
        }
    }

    private static TopicMessage Copy(NativeMessage* message, bool withHeaders)
    {
        int kind;
        var copied = new TopicMessage(
            message->Partition, message->Offset, Librdkafka.MessageTimestamp(message, &kind),
            new ReadOnlySpan<byte>(message->Key, (int)message->KeySize).ToArray(),
            new ReadOnlySpan<byte>(message->Value, (int)message->ValueSize).ToArray());
        if (!withHeaders)
            return copied;
        var headers = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var native = MessageHeaders.Of(message);
        for (var i = 0; i < native.Count; i++)
        {
            native.Read(i, out var name, out var value);
            headers[System.Text.Encoding.UTF8.GetString(name)] = value.ToArray();
        }
        return copied with { Headers = headers };
    }
}
