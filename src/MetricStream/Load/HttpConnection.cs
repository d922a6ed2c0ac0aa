using System.Buffers.Text;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace MetricStream.Load;

/// <summary>The end of one exchange: the status, whether the connection can be used again, and for a status outside 2xx how the body
/// began.</summary>
internal readonly record struct HttpExchange(int Status, bool KeepsAlive, string? Excerpt);

/// <summary>
/// A connection is one socket to the server with at most one request on it. It sends bytes that were built beforehand and reads no more
/// of the answer than it must: the load tool shares its cores with the server, so what it spends is taken from what it measures.
/// </summary>
internal sealed class HttpConnection : IDisposable
{
    // A head beyond this is refused; Kestrel's own limit for what it sends is far below.
    private const int BufferBytes = 16 * 1024;

    private readonly Stream _stream;

    // Owned by the one exchange in progress.
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;

    private HttpConnection(Stream stream) => _stream = stream;

    /// <summary>Connects (and for https shakes hands). Throws <see cref="SocketException"/>, or an exception of the TLS
    /// handshake.</summary>
    public static async Task<HttpConnection> OpenAsync(LoadTarget target, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(target.Url.IdnHost, target.Url.Port, cancellation);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (target.IsTls)
            {
                var tls = new SslStream(stream, leaveInnerStreamOpen: false);
                stream = tls;
                await tls.AuthenticateAsClientAsync(
                    new()
                    {
                        TargetHost = target.Url.IdnHost,
                        RemoteCertificateValidationCallback = target.CertificateValidation,
                        ApplicationProtocols = [SslApplicationProtocol.Http11],
                    },
                    cancellation);
            }
            return new(stream);
        }
        catch
        {
            // The stream owns the socket once there is one; both may be disposed.
            if (stream is not null) await stream.DisposeAsync();
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request and reads its answer to the end. Throws <see cref="IOException"/> when the connection breaks or is
    /// disposed meanwhile, <see cref="BadResponseException"/> when the answer is not HTTP.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<HttpExchange> ExchangeAsync(ReadOnlyMemory<byte> request)
    {
        await _stream.WriteAsync(request);
        HttpResponseHead head;
        int length;
        do
        {
            // A 1xx is an announcement; the answer follows it.
            while (!HttpResponseHead.TryRead(_buffer.AsSpan(_start, _end - _start), out head, out length)) await FillAsync();
            _start += length;
        }
        while (head.Status < 200);
        string? excerpt = null;
        if (head.Status >= 300) excerpt = await ExcerptAsync(head);
        if (head.HasBody) await SkipBodyAsync(head);
        if (_start != _end) throw HttpResponseHead.Bad("more bytes than its answer has", _buffer.AsSpan(_start, _end - _start));
        _start = _end = 0;
        return new(head.Status, head.KeepsAlive && (head.ContentLength is not null || head.IsChunked || !head.HasBody), excerpt);
    }

    /// <summary>Closes the socket, also under an exchange in progress, which then fails.</summary>
    public void Dispose() => _stream.Dispose();

    private async ValueTask<string> ExcerptAsync(HttpResponseHead head)
    {
        if (head is { HasBody: true } && _start == _end && !head.IsChunked) await FillAsync();
        return HttpResponseHead.Excerpt(_buffer.AsSpan(_start, _end - _start));
    }

    private async ValueTask SkipBodyAsync(HttpResponseHead head)
    {
        if (head.ContentLength is { } length) await SkipAsync(length);
        else if (head.IsChunked) await SkipChunksAsync();
        else
        {
            do _start = _end = 0;
            while (await ReadMoreAsync() > 0);
        }
    }

    private async ValueTask SkipChunksAsync()
    {
        while (true)
        {
            var size = ReadChunkSize(await LineAsync());
            if (size == 0) break;
            await SkipAsync(size);
            if ((await LineAsync()).Length != 0) throw new BadResponseException("The server answered a chunk longer than its size says.");
        }
        while ((await LineAsync()).Length != 0)
        {
            // Trailer fields end with an empty line; we asked for none and use none.
        }
    }

    private static long ReadChunkSize(ReadOnlyMemory<byte> line)
    {
        var extension = line.Span.IndexOf((byte)';');
        var digits = extension < 0 ? line.Span : line.Span[..extension].TrimEnd(" \t"u8);
        return Utf8Parser.TryParse(digits, out long size, out var used, 'x') && used == digits.Length && size >= 0
            ? size
            : throw HttpResponseHead.Bad("a chunk without a size", line.Span);
    }

    private async ValueTask<ReadOnlyMemory<byte>> LineAsync()
    {
        int end;
        while ((end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0) await FillAsync();
        var line = _buffer.AsMemory(_start, end);
        _start += end + 2;
        return line;
    }

    private async ValueTask SkipAsync(long bytes)
    {
        while (true)
        {
            var here = (int)Math.Min(bytes, _end - _start);
            _start += here;
            bytes -= here;
            if (bytes == 0) return;
            await FillAsync();
        }
    }

    private async ValueTask FillAsync()
    {
        if (_start == _end) _start = _end = 0;
        if (_end == _buffer.Length)
        {
            if (_start == 0) throw HttpResponseHead.Bad($"a head or line of more than {BufferBytes} bytes", _buffer);
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (await ReadMoreAsync() == 0) throw new IOException("The server closed the connection before its answer was complete.");
    }

    private async ValueTask<int> ReadMoreAsync()
    {
        var read = await _stream.ReadAsync(_buffer.AsMemory(_end));
        _end += read;
        return read;
    }
}
