using System.Text;

namespace MetricStream.Intake;

/// <summary>
/// Names a batch within its client: what the client sent as <c>Idempotency-Key</c>, or a UUID version 7 made here.
/// </summary>
internal readonly struct BatchId
{
    public const int MaxBytes = 128;

    private readonly Guid _made;

    private BatchId(string? key, Guid made)
    {
        Key = key;
        _made = made;
    }

    /// <summary>The client's own id; null when the server made one.</summary>
    public string? Key { get; }

    public static BatchId Make(DateTimeOffset now) => new(null, Guid.CreateVersion7(now));

    /// <summary>Reads the value of an <c>Idempotency-Key</c> header: 1 to 128 visible ASCII characters, bare or as a quoted string
    /// (RFC 8941: <c>\"</c> and <c>\\</c> are its escapes); both spellings are the same id. Returns the error code, or null.</summary>
    public static string? Parse(string header, out BatchId id)
    {
        id = default;
        if (header.StartsWith('"') && !TryUnquote(ref header))
            return BatchErrorCode.BadCharacter;
        if (header.Length == 0)
            return BatchErrorCode.Empty;
        if (header.Length > MaxBytes)
            return BatchErrorCode.TooLong;
        if (header.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return BatchErrorCode.BadCharacter;
        id = new BatchId(header, default);
        return null;
    }

    /// <summary>Writes the id as ASCII and returns the bytes written, at most <see cref="MaxBytes"/>.</summary>
    public int Write(Span<byte> destination)
    {
        if (Key is not null)
            return Encoding.ASCII.GetBytes(Key, destination);
        if (!_made.TryFormat(destination, out var written))
            throw new InvalidOperationException($"{destination.Length} bytes are too few for a batch id: {MaxBytes} are needed.");
        return written;
    }

    private static bool TryUnquote(ref string header)
    {
        if (header.Length < 2 || header[^1] != '"')
            return false;
        var inner = header.AsSpan(1, header.Length - 2);
        if (!inner.ContainsAny('\\', '"'))
        {
            header = inner.ToString();
            return true;
        }

        var text = new StringBuilder(inner.Length);
        for (var i = 0; i < inner.Length; i++)
        {
            if (inner[i] == '"' || (inner[i] == '\\' && (++i == inner.Length || inner[i] is not ('"' or '\\'))))
                return false;
            text.Append(inner[i]);
        }

        header = text.ToString();
        return true;
    }
}
