using System.Diagnostics;
using System.Runtime.CompilerServices;
using MetricStream.Admission;
using MetricStream.Telemetry;
using Microsoft.AspNetCore.Connections;

namespace MetricStream.Intake;

/// <summary>
/// <c>POST /metrics</c>: a batch is taken whole and durable, or refused whole with the reason.
/// </summary>
internal sealed partial class MetricsEndpoint : IDisposable
{
    public const string Path = "/metrics";

    private const int StopRetrySeconds = 5;

    private readonly IntakeOptions _options;
    private readonly BatchAcceptance _acceptance;
    private readonly IntakeLedger _ledger;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _graceOver;
    private volatile bool _stopping;

    /// <param name="acceptance">Makes batches durable.</param>
    /// <param name="options">The bounds of intake.</param>
    /// <param name="ledger">Counts what is answered.</param>
    /// <param name="clock">Stamps arrivals.</param>
    /// <param name="log">Takes refusals that an operator must act on.</param>
    public MetricsEndpoint(
        BatchAcceptance acceptance, IntakeOptions options, IntakeLedger ledger, TimeProvider clock, ILogger<MetricsEndpoint> log)
    {
        _acceptance = acceptance;
        _options = options;
        _ledger = ledger;
        _clock = clock;
        _log = log;
        _graceOver = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
    }

    public IntakeTimes Times { get; } = new();

    /// <summary>Decides who may post, and how often.</summary>
    public Gate Gate { get; init; } = Gate.Open;

    public void Map(IEndpointRouteBuilder routes) => routes.MapPost(Path, PostAsync);

    /// <summary>From now on new requests are answered 503; those in hand may still be taken until the grace is over,
    /// then their bodies are no longer waited for.</summary>
    public void BeginStop()
    {
        _stopping = true;
        _graceOver.CancelAfter(_options.StopGrace);
    }

    public void Dispose() => _graceOver.Dispose();

    // One small object a request: what is kept while the disk works lies in the pooled state of TakeAsync.
    private async Task PostAsync(HttpContext context)
    {
        using var span = IntakeTrace.Start(context.Request);
        var problem = await TakeAsync(context);
        IntakeTrace.End(span, context, problem);
        if (problem is not null)
            await problem.WriteAsync(context);
    }

    /// <summary>Walks one request from its headers to its acknowledgement. Null: it was acknowledged, or nobody is left to
    /// answer.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Problem?> TakeAsync(HttpContext context)
    {
        var client = _ledger.Unknown;
        var hold = default(BatchHold);
        Problem? problem;
        try
        {
            // 1. A server that stops promises nothing new.
            problem = _stopping ? Stopping() : null;

            // 2. The headers: with which key, who sends, under which batch id, in which coding; and whether the client's rate allows it.
            var posting = default(Posting);
            problem ??= ReadHeaders(context.Request, ref posting, ref client);
            if (problem is null)
            {
                // 3. The body, whole, decoded, within the limit; in Kestrel's own buffer where it fits there.
                var bodyBegan = Stopwatch.GetTimestamp();
                var body = await RequestBody.ReadAsync(context.Request, posting.IsGzip, _options.MaxBodyBytes, _graceOver.Token);
                try
                {
                    // 4. One pass decides whether it is a batch.
                    var parseBegan = Stopwatch.GetTimestamp();
                    problem = body.Problem ?? Validate(body.Json().Span, ref posting, ref client);

                    // 5. Durable in the queue, or known under its id already; the bytes are copied once, into the queue's group.
                    problem ??= _graceOver.IsCancellationRequested ? Stopping() : null;
                    var durableBegan = Stopwatch.GetTimestamp();
                    // Only a re-send waits for others; asking for the token costs an allocation.
                    var aborted = posting.Id.Key is null ? CancellationToken.None : context.RequestAborted;
                    if (problem is null)
                        (problem, hold) = await _acceptance.TakeAsync(client, posting, body.Json(), aborted);
                    if (problem is null)
                        Times.Add(bodyBegan, parseBegan, durableBegan);
                }
                finally
                {
                    body.Release();
                }

                // 6. The acknowledgement.
                if (problem is null)
                {
                    Acknowledge(context.Response, client, posting, hold);
                    return null;
                }
            }
        }
        catch (BadHttpRequestException broken)
        {
            problem = new Problem(broken.StatusCode, broken.Message) { ClosesConnection = true };
        }
        catch (OperationCanceledException) when (_graceOver.IsCancellationRequested)
        {
            problem = Stopping();
        }
        catch (Exception gone) when (gone is OperationCanceledException or ConnectionResetException)
        {
            // Nobody is left to answer. Nothing was promised, and a re-send under the same id is taken or recognised.
            // The abort makes sure that no answer, which would say 200, is sent after all.
            LogClientGone(context.TraceIdentifier);
            context.Abort();
            problem = null;
        }

        // 7. The refusal, counted for the client as far as it is known.
        client.Reject(_clock.GetUtcNow().ToUnixTimeMilliseconds(), problem?.Detail);
        Times.AddRefused();
        return problem;
    }

    private Problem? ReadHeaders(HttpRequest request, ref Posting posting, ref ClientTally client)
    {
        // The key before anything else: who has none is told nothing more.
        if (Gate.Admit(request, out posting.Caller) is { } refused)
            return refused;
        if (posting.Caller is { } caller)
            client = _ledger.Client(caller.ClientId);
        var headers = new RequestHeaders { Caller = posting.Caller };
        var problem = headers.Read(request, _ledger, Gate);
        client = headers.Client ?? client;
        if (!ReferenceEquals(client, _ledger.Unknown))
            problem ??= Gate.Limit(client);
        posting.IsGzip = headers.IsGzip;
        posting.ArrivedAt = _clock.GetUtcNow();
        posting.Id = headers.Key ?? BatchId.Make(posting.ArrivedAt);
        // What follows belongs to our own span where there is one, else to the sender's.
        posting.TraceParent = Activity.Current?.Id ?? (request.Headers.TraceParent is [var traceParent] ? traceParent : null);
        return problem;
    }

    private Problem? Validate(ReadOnlySpan<byte> body, ref Posting posting, ref ClientTally client)
    {
        if (body.IsEmpty)
            return new Problem(StatusCodes.Status400BadRequest, "The body is empty. Send a batch: {\"metrics\":[…]}.");
        var verdict = BatchValidator.Validate(body, _options.MaxMetrics);
        if (verdict.Malformed is not null)
            return new Problem(StatusCodes.Status400BadRequest, verdict.Malformed);

        // A client named in the headers wins over the one in the body.
        if (ReferenceEquals(client, _ledger.Unknown))
        {
            client = _ledger.Client(verdict.ClientId.IsEmpty ? ClientId.Anonymous : verdict.ClientId);
            if (Gate.Limit(client) is { } limited)
                return limited;
        }
        if (posting.Caller is { } caller && !verdict.ClientId.IsEmpty && !verdict.ClientId.SequenceEqual(caller.ClientId))
            return Gate.Foreign(caller, "the body's client_id");
        posting.MetricCount = verdict.MetricCount;
        if (verdict.Errors is null)
            return null;
        var listed = verdict.ErrorCount > verdict.Errors.Count ? $", of which the first {verdict.Errors.Count} are listed" : "";
        var detail = $"The body is JSON but no valid batch: {verdict.ErrorCount} error(s){listed}.";
        return new Problem(StatusCodes.Status422UnprocessableEntity, detail)
        {
            Errors = verdict.Errors,
        };
    }

    private void Acknowledge(HttpResponse response, ClientTally client, in Posting posting, BatchHold hold)
    {
        IntakeTrace.Acknowledged(client, posting, hold);
        var writer = response.BodyWriter;
        var answer = writer.GetSpan(BatchId.MaxBytes * 2 + 96);
        Span<byte> id = stackalloc byte[BatchId.MaxBytes];
        id = id[..posting.Id.Write(id)];

        var at = Put(answer, 0, "{\"batch_id\":\""u8);
        foreach (var character in id)
        {
            if (character is (byte)'"' or (byte)'\\')
                answer[at++] = (byte)'\\';
            answer[at++] = character;
        }

        at = Put(answer, at, "\",\"accepted\":"u8);
        if (!posting.MetricCount.TryFormat(answer[at..], out var digits))
            throw new InvalidOperationException("The answer's buffer is too small for the number of metrics.");
        if (_options.Ack == AckMode.Enqueued)
            response.StatusCode = StatusCodes.Status202Accepted;
        at = Put(answer, at + digits, _options.Ack == AckMode.Enqueued ? ",\"ack\":\"enqueued\"}"u8 : hold switch
        {
            BatchHold.Broker => ",\"ack\":\"durable\",\"held\":\"broker\"}"u8,
            BatchHold.Spill => ",\"ack\":\"durable\",\"held\":\"spill\"}"u8,
            _ => ",\"ack\":\"durable\"}"u8,
        });
        response.ContentType = "application/json";
        response.ContentLength = at;
        writer.Advance(at);
    }

    private static int Put(Span<byte> answer, int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(answer[at..]);
        return at + text.Length;
    }

    private static Problem Stopping() =>
        new(StatusCodes.Status503ServiceUnavailable, "The server is stopping. Nothing was taken; send the batch again.")
        {
            RetryAfterSeconds = StopRetrySeconds,
            ClosesConnection = true,
        };

    [LoggerMessage(Level = LogLevel.Debug, Message = "The client of request {TraceId} went away before its batch was answered")]
    private partial void LogClientGone(string traceId);
}
