using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace MetricStream.Intake;

/// <summary>
/// The decoded body of one request, whole, or the problem with it. Small bodies stay where Kestrel
/// received them; others lie in a pooled buffer. Whoever got it calls <see cref="Release"/> exactly once.
/// </summary>
internal readonly struct RequestBody
{
    private const int FirstBufferBytes = 16 * 1024;

    private readonly byte[]? _rented;
    private readonly PipeReader? _unread;
    private readonly SequencePosition _end;

    private RequestBody(ReadOnlyMemory<byte> bytes, byte[]? rented, PipeReader? unread = null, SequencePosition end = default)
    {
        Bytes = bytes;
        _rented = rented;
        _unread = unread;
        _end = end;
    }

    private RequestBody(Problem problem) => Problem = problem;

    private ReadOnlyMemory<byte> Bytes { get; }

    public Problem? Problem { get; }

    /// <summary>Reads the body to its end. The answer to a body that is too large can be sent at once; Kestrel then goes on reading and
    /// discarding for up to 5 s, so that a client that sends everything first still finds the answer.</summary>
    public static ValueTask<RequestBody> ReadAsync(HttpRequest request, bool isGzip, int maxBytes, CancellationToken cancellation)
    {
        // Kestrel's own limit would cut the connection before a client that is still sending could read the answer.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        if (request.ContentLength > maxBytes)
            return new ValueTask<RequestBody>(new RequestBody(TooLarge(maxBytes)));

        var reader = request.BodyReader;
        var reading = reader.ReadAsync(CancellationToken.None);
        if (!reading.IsCompletedSuccessfully)
            return GatherAsync(reader, reading, isGzip, maxBytes, cancellation);
        var first = reading.Result;
        if (first.IsCanceled || !first.IsCompleted || !first.Buffer.IsSingleSegment || first.Buffer.Length > maxBytes)
            return GatherAsync(reader, new ValueTask<ReadResult>(first), isGzip, maxBytes, cancellation);
        var whole = new RequestBody(first.Buffer.First, rented: null, reader, first.Buffer.End);
        return new ValueTask<RequestBody>(isGzip ? Inflate(whole, maxBytes) : whole);
    }

    /// <summary>The JSON text: the bytes without a byte order mark.</summary>
    public ReadOnlyMemory<byte> Json() => Bytes.Span.StartsWith("\uFEFF"u8) ? Bytes[3..] : Bytes;

    public void Release()
    {
        _unread?.AdvanceTo(_end);
        if (_rented is not null)
            ArrayPool<byte>.Shared.Return(_rented);
    }

    private static async ValueTask<RequestBody> GatherAsync(
        PipeReader reader, ValueTask<ReadResult> reading, bool isGzip, int maxBytes, CancellationToken cancellation)
    {
        // CancelPendingRead, not the token itself: after a read that its token ended Kestrel cannot discard the rest of the body.
        using var stop = cancellation.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), reader);

        // Grows with what has arrived, never with what a Content-Length claims: a claim costs the client nothing.
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        var length = 0;
        var owned = true;
        try
        {
            while (true)
            {
                var result = await reading;
                var arrived = result.Buffer;
                var fits = length + arrived.Length <= maxBytes;
                if (fits)
                {
                    Reserve(ref buffer, length, (int)arrived.Length);
                    arrived.CopyTo(buffer.AsSpan(length));
                    length += (int)arrived.Length;
                }

                reader.AdvanceTo(arrived.End);
                cancellation.ThrowIfCancellationRequested();
                if (!fits)
                    return new RequestBody(TooLarge(maxBytes));
                if (result.IsCompleted)
                    break;
                reading = reader.ReadAsync(CancellationToken.None);
            }

            owned = false;
        }
        catch (IOException broken) when (broken is not (ConnectionResetException or BadHttpRequestException))
        {
            // Kestrel reports most broken framing as BadHttpRequestException, but a chunk size beyond its integers like this.
            return new RequestBody(new Problem(StatusCodes.Status400BadRequest, $"The request cannot be read: {broken.Message}")
            {
                ClosesConnection = true,
            });
        }
        finally
        {
            if (owned)
                ArrayPool<byte>.Shared.Return(buffer);
        }

        var whole = new RequestBody(buffer.AsMemory(0, length), buffer);
        return isGzip ? Inflate(whole, maxBytes) : whole;
    }

    private static RequestBody Inflate(RequestBody compressed, int maxBytes)
    {
        try
        {
            if (compressed.Bytes.IsEmpty)
                return new RequestBody(default(ReadOnlyMemory<byte>), rented: null);
            return GzipBody.Inflate(compressed.Bytes, maxBytes, out var inflated, out var length) switch
            {
                GzipOutcome.Complete => new RequestBody(inflated.AsMemory(0, length), inflated),
                GzipOutcome.TooLarge => new RequestBody(TooLarge(maxBytes)),
                _ => new RequestBody(new Problem(
                    StatusCodes.Status400BadRequest,
                    "The gzip body is damaged: cut short, followed by other bytes, or not gzip. Send it again.")),
            };
        }
        finally
        {
            compressed.Release();
        }
    }

    private static void Reserve(ref byte[] buffer, int length, int more)
    {
        if (buffer.Length - length >= more)
            return;
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Max((long)length + more, Math.Min(2L * buffer.Length, Array.MaxLength)));
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }

    private static Problem TooLarge(int maxBytes) =>
        new(StatusCodes.Status413PayloadTooLarge, $"The body is larger than {maxBytes} bytes, the limit before and after decompression. "
            + "Send smaller batches, or raise --max-body-bytes.")
        {
            ClosesConnection = true,
        };
}
