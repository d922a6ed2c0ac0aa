using System.Runtime.CompilerServices;
using MetricStream.Admission;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Intake;

/// <summary>What is known of one request beside its body.</summary>
internal struct Posting
{
    public bool IsGzip;
    public BatchId Id;
    public DateTimeOffset ArrivedAt;
    public int MetricCount;
    public string? TraceParent;

    /// <summary>The key it was posted with; null where none is asked for.</summary>
    public ApiKey? Caller;
}

/// <summary>Where an acknowledged batch is.</summary>
internal enum BatchHold
{
    /// <summary>In the file queue.</summary>
    Disk,

    /// <summary>In Kafka.</summary>
    Broker,

    /// <summary>In the local spill, on its way to Kafka.</summary>
    Spill,

    /// <summary>In memory, on its way to be durable.</summary>
    Memory,
}

/// <summary>What became of a batch: a problem, with nothing promised, or where it is held.</summary>
internal readonly record struct Taking(Problem? Problem, BatchHold Hold)
{
    public static implicit operator Taking(Problem problem) => new(problem, default);
}

/// <summary>
/// Takes a valid batch: makes it durable once, and answers a re-send under a known id like its first.
/// A re-send is a record of its own in the queue, so that whatever is acknowledged is found there after a crash.
/// </summary>
internal sealed class BatchAcceptance(IBatchQueue queue, IMetricStore? store, IntakeOptions options, TimeProvider clock)
{
    private readonly IdempotencyWindow _window = new(options, clock);
    private int _enqueued;

    /// <summary>A batch that was answered 202 was not made durable after all, with the reason.</summary>
    public event Action<string>? Lost;

    /// <summary>Without a problem the batch is counted as acknowledged. Else nothing was promised.</summary>
    public ValueTask<Taking> TakeAsync(ClientTally client, in Posting posting, ReadOnlyMemory<byte> body, CancellationToken aborted) =>
        posting.Id.Key is { } key
            ? TakeOnceAsync(client, posting, key, body, aborted)
            : AppendAsync(client, posting, BatchRecordKind.Batch, body.Span);

    private ValueTask<Taking> AppendAsync(ClientTally client, in Posting posting, BatchRecordKind kind, ReadOnlySpan<byte> body)
    {
        Span<byte> header = stackalloc byte[BatchRecord.MaxHeaderBytes];
        Span<byte> id = stackalloc byte[BatchId.MaxBytes];
        var arrivedUnixMs = posting.ArrivedAt.ToUnixTimeMilliseconds();
        id = id[..posting.Id.Write(id)];
        header = header[..BatchRecord.WriteHeader(header, kind, arrivedUnixMs, posting.MetricCount, client.Id, id)];
        try
        {
            var appending = queue.AppendAsync(header, body, posting.TraceParent);
            if (options.Ack == AckMode.Durable || posting.Id.Key is not null || appending.IsCompleted || !MayEnqueue())
                return AwaitAppendAsync(appending, client, arrivedUnixMs);
            _ = FollowAsync(appending, client, arrivedUnixMs);
            return new ValueTask<Taking>(new Taking(null, BatchHold.Memory));
        }
        catch (IntakeRefusedException refused)
        {
            return new ValueTask<Taking>(Refused(refused));
        }
    }

    private bool MayEnqueue()
    {
        if (Interlocked.Increment(ref _enqueued) <= options.MaxEnqueued)
            return true;
        Interlocked.Decrement(ref _enqueued);
        return false;
    }

    private async Task FollowAsync(ValueTask<long> appending, ClientTally client, long arrivedUnixMs)
    {
        try
        {
            await appending.ConfigureAwait(false);
            client.Acknowledge(arrivedUnixMs);
        }
        catch (IntakeRefusedException refused)
        {
            Lost?.Invoke(refused.Message);
        }
        finally
        {
            Interlocked.Decrement(ref _enqueued);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Taking> AwaitAppendAsync(ValueTask<long> appending, ClientTally client, long arrivedUnixMs)
    {
        long position;
        try
        {
            position = await appending;
        }
        catch (IntakeRefusedException refused)
        {
            return Refused(refused);
        }

        // Before the answer: a batch whose answer never leaves is acknowledged all the same.
        client.Acknowledge(arrivedUnixMs);
        return new Taking(null, position == IBatchQueue.InSpill ? BatchHold.Spill : queue.RepeatsBody ? BatchHold.Broker : BatchHold.Disk);
    }

    private async ValueTask<Taking> TakeOnceAsync(
        ClientTally client, Posting posting, string key, ReadOnlyMemory<byte> body, CancellationToken aborted)
    {
        var digest = BodyDigest.Of(body.Span);
        while (true)
        {
            var entrance = _window.Enter(client.Name, key);
            if (entrance.IsFirst)
                return await TakeFirstAsync(entrance.Entry, digest, client, posting, body);
            if (entrance.FirstEnds is null)
                return await TakeAgainAsync(entrance.Entry, digest, client, posting, body);
            try
            {
                await entrance.FirstEnds.WaitAsync(options.ResendWait, clock, aborted);
            }
            catch (TimeoutException)
            {
                var detail = $"Batch id '{key}' is still in flight from an earlier request. Send it again later.";
                return new Problem(StatusCodes.Status409Conflict, detail)
                {
                    RetryAfterSeconds = 1,
                };
            }
        }
    }

    private async ValueTask<Taking> TakeFirstAsync(
        WindowEntry entry, BodyDigest digest, ClientTally client, Posting posting, ReadOnlyMemory<byte> body)
    {
        var ended = false;
        try
        {
            if (FindStored(client, posting.Id) is { } stored)
            {
                _window.Accept(entry, BodyDigest.Of(stored.Body.Span), stored.MetricCount);
                ended = true;
                return await TakeAgainAsync(entry, digest, client, posting, body);
            }

            var taking = await AppendAsync(client, posting, BatchRecordKind.Batch, body.Span);
            if (taking.Problem is null)
            {
                _window.Accept(entry, digest, posting.MetricCount);
                ended = true;
            }

            return taking;
        }
        finally
        {
            // Whatever went wrong, those who wait for this id must not wait for ever: one of them takes over.
            if (!ended)
                _window.Abandon(entry);
        }
    }

    private ValueTask<Taking> TakeAgainAsync(
        WindowEntry accepted, BodyDigest digest, ClientTally client, Posting posting, ReadOnlyMemory<byte> body)
    {
        if (accepted.Digest == digest)
            return AppendAsync(client, posting, BatchRecordKind.Resend, queue.RepeatsBody ? body.Span : []);
        return new ValueTask<Taking>(new Problem(
            StatusCodes.Status422UnprocessableEntity,
            $"Batch id '{posting.Id.Key}' of client '{client.Name}' was used for other bytes. Give each batch an id of its own."));
    }

    // While the store is away the batch is taken: it compares bodies itself when the record reaches it.
    private StoredBatch? FindStored(ClientTally client, BatchId batchId)
    {
        if (store is null)
            return null;
        Span<byte> id = stackalloc byte[BatchId.MaxBytes];
        id = id[..batchId.Write(id)];
        try
        {
            return store.Find(client.Id, id);
        }
        catch (StoreUnavailableException)
        {
            return null;
        }
    }

    private static Problem Refused(IntakeRefusedException refused) => refused.Reason == IntakeRefusal.TooLarge
        ? new Problem(StatusCodes.Status413PayloadTooLarge, refused.Message)
        : new Problem(StatusCodes.Status503ServiceUnavailable, refused.Message)
        {
            RetryAfterSeconds = Math.Max(1, refused.RetryAfterSeconds),
            ClosesConnection = refused.Reason == IntakeRefusal.Closed,
        };
}
