using System.Buffers;

namespace MetricStream.Intake;

/// <summary>
/// Who posts: 1 to 128 of <c>A-Z a-z 0-9 . _ : @ -</c>, not <c>.</c> or <c>..</c> (they would be lost in paths). Absent: anonymous.
/// </summary>
internal static class ClientId
{
    public const int MaxBytes = 128;

    private static readonly SearchValues<byte> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-"u8);

    public static ReadOnlySpan<byte> Anonymous => "anonymous"u8;

    /// <summary>The error code for a text that is no client id; null for one that is.</summary>
    public static string? Flaw(ReadOnlySpan<byte> id)
    {
        if (id.IsEmpty)
            return BatchErrorCode.Empty;
        if (id.Length > MaxBytes)
            return BatchErrorCode.TooLong;
        return id.ContainsAnyExcept(Allowed) || id.SequenceEqual("."u8) || id.SequenceEqual(".."u8) ? BatchErrorCode.BadCharacter : null;
    }
}
