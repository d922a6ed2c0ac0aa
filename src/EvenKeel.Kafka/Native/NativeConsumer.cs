namespace EvenKeel.Kafka.Native;

/// <summary>The native calls of a group consumer, each inside the gate. All return at once but those that take a wait.</summary>
internal static unsafe class NativeConsumer
{
    /// <summary>Makes the main queue's events (errors, log lines) come from the consumer queue as well.</summary>
    public static void PollMainFromConsumerQueue(this ClientHandle client)
    {
        using var call = client.Enter();
        Librdkafka.PollSetConsumer(call.Client).ThrowIfFailed("Joining the main queue to the consumer queue");
    }

    public static void Subscribe(this ClientHandle client, params ReadOnlySpan<string> topics)
    {
        using var list = new PartitionList();
        foreach (var topic in topics)
            list.Add(topic);
        using var call = client.Enter();
        Librdkafka.Subscribe(call.Client, list.Pointer).ThrowIfFailed($"Subscribing to {string.Join(", ", topics)}");
    }

    public static void Unsubscribe(this ClientHandle client)
    {
        using var call = client.Enter();
        Librdkafka.Unsubscribe(call.Client).ThrowIfFailed("Unsubscribing");
    }

    public static PartitionList Subscription(this ClientHandle client)
    {
        using var call = client.Enter();
        NativePartitionList* list;
        Librdkafka.Subscription(call.Client, &list).ThrowIfFailed("Reading the subscription");
        return new PartitionList(list);
    }

    /// <param name="client">A consumer.</param>
    /// <param name="partitions">Replace the assignment; null ends it.</param>
    public static void Assign(this ClientHandle client, NativePartitionList* partitions)
    {
        using var call = client.Enter();
        Librdkafka.Assign(call.Client, partitions).ThrowIfFailed("Assigning partitions");
    }

    public static void Assign(this ClientHandle client, PartitionList partitions) => client.Assign(partitions.Pointer);

    public static void AssignMore(this ClientHandle client, PartitionList partitions) => client.AssignMore(partitions.Pointer);

    public static void Unassign(this ClientHandle client, PartitionList partitions) => client.Unassign(partitions.Pointer);

    public static void AssignMore(this ClientHandle client, NativePartitionList* partitions)
    {
        using var call = client.Enter();
        NativeErrors.ThrowIfErrorObject(Librdkafka.IncrementalAssign(call.Client, partitions), "Adding partitions to the assignment");
    }

    public static void Unassign(this ClientHandle client, NativePartitionList* partitions)
    {
        using var call = client.Enter();
        NativeErrors.ThrowIfErrorObject(Librdkafka.IncrementalUnassign(call.Client, partitions), "Taking partitions from the assignment");
    }

    public static PartitionList Assignment(this ClientHandle client)
    {
        using var call = client.Enter();
        NativePartitionList* list;
        Librdkafka.Assignment(call.Client, &list).ThrowIfFailed("Reading the assignment");
        return new PartitionList(list);
    }

    /// <summary>While a revocation is handled: the partitions are somebody else's already, and their offsets cannot be committed.</summary>
    public static bool IsAssignmentLost(this ClientHandle client)
    {
        using var call = client.Enter();
        return Librdkafka.AssignmentLost(call.Client) != 0;
    }

    /// <returns>NONE before the first join, then EAGER or COOPERATIVE: the latter wants the incremental calls.</returns>
    public static string RebalanceProtocol(this ClientHandle client)
    {
        using var call = client.Enter();
        return NativeText.Read(Librdkafka.RebalanceProtocol(call.Client));
    }

    public static string MemberId(this ClientHandle client)
    {
        using var call = client.Enter();
        var id = Librdkafka.MemberId(call.Client);
        var text = NativeText.Read(id);
        Librdkafka.MemFree(call.Client, id);
        return text;
    }

    /// <returns>The group's generation, -1 before the first join.</returns>
    public static int Generation(this ClientHandle client)
    {
        using var call = client.Enter();
        var metadata = Librdkafka.ConsumerGroupMetadata(call.Client);
        if (metadata == 0)
            return -1;
        var generation = Librdkafka.ConsumerGroupGenerationId(metadata);
        Librdkafka.ConsumerGroupMetadataDestroy(metadata);
        return generation;
    }

    /// <summary>Fills in the offset after the last record handed out (<see cref="SpecialOffset.Invalid"/>: none yet).</summary>
    public static void ReadPositions(this ClientHandle client, PartitionList partitions)
    {
        using var call = client.Enter();
        Librdkafka.Position(call.Client, partitions.Pointer).ThrowIfFailed("Reading positions");
    }

    /// <summary>Fills in the committed offsets, asked from the coordinator.</summary>
    public static void ReadCommitted(this ClientHandle client, PartitionList partitions, TimeSpan wait)
    {
        using var call = client.Enter();
        Librdkafka.Committed(call.Client, partitions.Pointer, (int)wait.TotalMilliseconds).ThrowIfFailed("Asking for committed offsets");
    }

    /// <summary>Fills in, for each entry whose offset is a time (Unix, ms), the first offset at or after it.</summary>
    public static void ReadOffsetsForTimes(this ClientHandle client, PartitionList partitions, TimeSpan wait)
    {
        using var call = client.Enter();
        Librdkafka.OffsetsForTimes(call.Client, partitions.Pointer, (int)wait.TotalMilliseconds)
            .ThrowIfFailed("Asking for offsets by time");
    }

    /// <returns>The code for the whole; each entry has its own.</returns>
    public static KafkaErrorCode StoreOffsets(this ClientHandle client, PartitionList offsets)
    {
        using var call = client.Enter();
        return Librdkafka.OffsetsStore(call.Client, offsets.Pointer);
    }

    /// <summary>Commits; the answer comes to the queue as <see cref="EventKinds.OffsetCommit"/> with the opaque.</summary>
    public static void CommitTo(this ClientHandle client, PartitionList offsets, EventQueue results, nint opaque)
    {
        using var use = results.Use();
        Librdkafka.CommitQueue(use.Client, offsets.Pointer, results.Pointer, 0, opaque).ThrowIfFailed("Committing offsets");
    }

    /// <summary>Commits without telling anybody the outcome beyond an event on the consumer queue.</summary>
    public static void CommitInBackground(this ClientHandle client, PartitionList offsets)
    {
        using var call = client.Enter();
        Librdkafka.Commit(call.Client, offsets.Pointer, async: 1).ThrowIfFailed("Committing offsets");
    }

    public static void Pause(this ClientHandle client, PartitionList partitions)
    {
        using var call = client.Enter();
        Librdkafka.PausePartitions(call.Client, partitions.Pointer).ThrowIfFailed("Pausing partitions");
    }

    public static void Resume(this ClientHandle client, PartitionList partitions)
    {
        using var call = client.Enter();
        Librdkafka.ResumePartitions(call.Client, partitions.Pointer).ThrowIfFailed("Resuming partitions");
    }

    public static void Seek(this ClientHandle client, PartitionList partitions, TimeSpan wait)
    {
        using var call = client.Enter();
        NativeErrors.ThrowIfErrorObject(
            Librdkafka.SeekPartitions(call.Client, partitions.Pointer, (int)wait.TotalMilliseconds), "Seeking");
    }

    /// <summary>
    /// Starts to leave the group and returns at once. Serve the queue (a last rebalance comes) until <see cref="IsConsumerClosed"/> or
    /// your deadline; after the deadline <see cref="ClientHandle.CloseAsync"/> with <see cref="DestroyOptions.NoConsumerClose"/>.
    /// </summary>
    public static void BeginConsumerClose(this ClientHandle client, EventQueue queue)
    {
        using var use = queue.Use();
        NativeErrors.ThrowIfErrorObject(Librdkafka.ConsumerCloseQueue(use.Client, queue.Pointer), "Closing the consumer");
    }

    /// <summary>
    /// The answer to a last revocation that nobody will serve: without it a client whose close has begun waits for ever when it is
    /// destroyed, its main thread at full speed, <see cref="DestroyOptions.NoConsumerClose"/> or not (rd_kafka_cgrp_terminate0 of 2.x
    /// heeds the option only where no close has begun). A closing group takes any assignment for none.
    /// </summary>
    public static void AnswerLastRevocation(this ClientHandle client)
    {
        using var call = client.Enter();
        var code = Librdkafka.Assign(call.Client, null);
        if (code != KafkaErrorCode.ClientDestroyed)
            code.ThrowIfFailed("Answering the last revocation");
    }

    public static bool IsConsumerClosed(this ClientHandle client)
    {
        using var call = client.Enter();
        return Librdkafka.ConsumerClosed(call.Client) != 0;
    }
}
