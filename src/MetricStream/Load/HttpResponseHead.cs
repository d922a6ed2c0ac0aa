using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace MetricStream.Load;

/// <summary>An answer that is not HTTP/1.x as RFC 9112 writes it; the connection cannot be used again.</summary>
internal sealed class BadResponseException(string message) : Exception(message);

/// <summary>
/// A response head is status line and header fields, reduced to what a client needs to find the end of the body: the status, how the
/// body is framed, and whether the connection stays open. Without a content length the body is chunked, absent, or ends with the
/// connection.
/// </summary>
internal readonly record struct HttpResponseHead(int Status, long? ContentLength, bool IsChunked, bool KeepsAlive)
{
    private static readonly SearchValues<byte> NumberBytes = SearchValues.Create("0123456789"u8);

    /// <summary>1xx, 204 and 304 have no body whatever their fields say.</summary>
    public bool HasBody => Status >= 200 && Status is not (204 or 304) && ContentLength != 0;

    /// <summary>Reads a head from the start of <paramref name="bytes"/>; false while its end has not arrived.
    /// Throws <see cref="BadResponseException"/> for what can never become one.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out HttpResponseHead head, out int length)
    {
        head = default;
        length = bytes.IndexOf("\r\n\r\n"u8) + 4;
        if (length < 4)
        {
            var known = Math.Min(bytes.Length, 7);
            if (!bytes[..known].SequenceEqual("HTTP/1."u8[..known])) throw Bad("no HTTP/1.x status line", bytes);
            return false;
        }
        var rest = bytes[..(length - 2)];
        var (status, keepsAlive) = ReadStatusLine(TakeLine(ref rest));
        long? contentLength = null;
        var isChunked = false;
        while (!rest.IsEmpty)
        {
            var line = TakeLine(ref rest);
            var colon = line.IndexOf((byte)':');
            if (colon < 1) throw Bad("a header field without a name", line);
            var name = line[..colon];
            var value = line[(colon + 1)..].Trim(" \t"u8);
            // Lengths first: four comparisons of names a response would cost more than the rest of the parse.
            if (name.Length == 14 && Ascii.EqualsIgnoreCase(name, "content-length"u8)) contentLength = ReadLength(value);
            else if (name.Length == 17 && Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8)) isChunked = IsChunkedCoding(value);
            else if (name.Length == 10 && Ascii.EqualsIgnoreCase(name, "connection"u8))
                keepsAlive = !Ascii.EqualsIgnoreCase(value, "close"u8) && (keepsAlive || Ascii.EqualsIgnoreCase(value, "keep-alive"u8));
        }
        head = new(status, isChunked ? null : contentLength, isChunked, keepsAlive);
        return true;
    }

    internal static BadResponseException Bad(string what, ReadOnlySpan<byte> bytes) =>
        new($"The server answered {what}: '{Excerpt(bytes)}'.");

    /// <summary>The first printable characters, for a message.</summary>
    internal static string Excerpt(ReadOnlySpan<byte> bytes)
    {
        var text = Encoding.UTF8.GetString(bytes[..Math.Min(bytes.Length, 200)]);
        return string.Create(text.Length, text, (chars, source) =>
        {
            for (var i = 0; i < chars.Length; i++) chars[i] = char.IsControl(source[i]) ? ' ' : source[i];
        });
    }

    private static ReadOnlySpan<byte> TakeLine(ref ReadOnlySpan<byte> rest)
    {
        var end = rest.IndexOf("\r\n"u8);
        var line = rest[..end];
        rest = rest[(end + 2)..];
        return line;
    }

    private static (int Status, bool KeepsAlive) ReadStatusLine(ReadOnlySpan<byte> line)
    {
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[8] != ' ' || (line.Length > 12 && line[12] != ' ')
            || line[9..12].ContainsAnyExcept(NumberBytes))
            throw Bad("no HTTP/1.x status line", line);
        var status = ((line[9] - '0') * 100) + ((line[10] - '0') * 10) + (line[11] - '0');
        if (status is < 100 or > 599) throw Bad($"status {status}", line);
        return (status, line[7] != '0');
    }

    private static long ReadLength(ReadOnlySpan<byte> value) =>
        !value.IsEmpty && !value.ContainsAnyExcept(NumberBytes) && Utf8Parser.TryParse(value, out long length, out _)
            ? length
            : throw Bad("a Content-Length that is no number", value);

    private static bool IsChunkedCoding(ReadOnlySpan<byte> value) => Ascii.EqualsIgnoreCase(value, "chunked"u8)
        ? true
        : throw Bad("a transfer coding we did not ask for", value);
}
