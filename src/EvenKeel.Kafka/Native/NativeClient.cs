namespace EvenKeel.Kafka.Native;

/// <summary>The native calls on a whole client, producer or not, each inside the gate.</summary>
internal static unsafe class NativeClient
{
    /// <summary>Produced messages whose reports were not yet taken, and requests and events that wait.</summary>
    public static int OutstandingCount(this ClientHandle client)
    {
        using var call = client.Enter();
        return Librdkafka.OutqLen(call.Client);
    }

    /// <summary>
    /// Waits until every message has its report, and those are taken by the queue's loop; messages that linger are sent at once.
    /// </summary>
    /// <returns><see cref="KafkaErrorCode.TimedOut"/> if some are left.</returns>
    public static KafkaErrorCode Flush(this ClientHandle client, TimeSpan wait)
    {
        using var call = client.Enter();
        return Librdkafka.Flush(call.Client, (int)wait.TotalMilliseconds);
    }

    /// <summary>Ends every outstanding message: their reports come at once, to be taken from the queue.</summary>
    public static void Purge(this ClientHandle client, PurgeScope scope)
    {
        using var call = client.Enter();
        Librdkafka.Purge(call.Client, scope).ThrowIfFailed($"Purging {client.Name}");
    }

    /// <returns>Why the client can do no more; null while it can.</returns>
    public static KafkaException? FatalError(this ClientHandle client)
    {
        using var call = client.Enter();
        var text = stackalloc byte[NativeText.ErrorTextBytes];
        text[0] = 0;
        var code = Librdkafka.FatalError(call.Client, text, NativeText.ErrorTextBytes);
        return code == KafkaErrorCode.None
            ? null
            : new KafkaException(code, $"{client.Name} had a fatal error: {NativeText.Read(text)} ({code.Describe()})", isFatal: true);
    }

    /// <summary>The value that the running client has for a setting, defaults included; null if it has none.</summary>
    public static string? Setting(this ClientHandle client, string name)
    {
        using var call = client.Enter();
        nuint size = 0;
        if (Librdkafka.ConfGet(Librdkafka.Conf(call.Client), name, null, &size) != 0)
            return null;
        var buffer = new byte[(int)size];
        fixed (byte* destination = buffer)
        {
            Librdkafka.ConfGet(Librdkafka.Conf(call.Client), name, destination, &size);
        }
        return NativeText.Read(buffer);
    }

    /// <summary>Asks a broker; waits for a connection if there is none.</summary>
    /// <param name="client">Any client.</param>
    /// <param name="topic">Only this one; null: all topics.</param>
    /// <param name="wait">The limit.</param>
    /// <exception cref="KafkaException">No answer in time.</exception>
    public static ClusterMetadata Metadata(this ClientHandle client, TopicHandle? topic, TimeSpan wait)
    {
        using var call = client.Enter();
        NativeMetadata* metadata;
        Librdkafka.Metadata(call.Client, topic is null ? 1 : 0, topic?.Pointer ?? 0, &metadata, (int)wait.TotalMilliseconds)
            .ThrowIfFailed($"Asking for metadata of {topic?.Name ?? "all topics"} within {wait.TotalMilliseconds:0} ms");
        try
        {
            return ClusterMetadata.From(metadata);
        }
        finally
        {
            Librdkafka.MetadataDestroy(metadata);
        }
    }

    /// <returns>The cluster's id, or null if no broker told it in time.</returns>
    public static string? ClusterId(this ClientHandle client, TimeSpan wait)
    {
        using var call = client.Enter();
        var id = Librdkafka.ClusterId(call.Client, (int)wait.TotalMilliseconds);
        if (id is null)
            return null;
        var text = NativeText.Read(id);
        Librdkafka.MemFree(call.Client, id);
        return text;
    }

    /// <summary>The first offset kept and the next to be written, asked from the partition's leader.</summary>
    public static (long Low, long High) QueryWatermarks(this ClientHandle client, string topic, int partition, TimeSpan wait)
    {
        using var call = client.Enter();
        long low, high;
        Librdkafka.QueryWatermarkOffsets(call.Client, topic, partition, &low, &high, (int)wait.TotalMilliseconds)
            .ThrowIfFailed($"Asking for the offsets of {topic}[{partition}]");
        return (low, high);
    }

    /// <summary>The same as the last fetch told it, without asking; -1001 for what is not known.</summary>
    public static (long Low, long High) KnownWatermarks(this ClientHandle client, string topic, int partition)
    {
        using var call = client.Enter();
        long low, high;
        Librdkafka.GetWatermarkOffsets(call.Client, topic, partition, &low, &high)
            .ThrowIfFailed($"Reading the known offsets of {topic}[{partition}]");
        return (low, high);
    }
}
