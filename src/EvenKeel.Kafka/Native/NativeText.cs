using System.Runtime.InteropServices;
using System.Text;

namespace EvenKeel.Kafka.Native;

/// <summary>Text that librdkafka hands out: UTF-8 ending in a zero byte, owned by librdkafka.</summary>
internal static unsafe class NativeText
{
    /// <summary>The size of buffers for error texts; librdkafka cuts what is longer.</summary>
    public const int ErrorTextBytes = 512;

    /// <returns>The text; empty for a null pointer.</returns>
    public static string Read(byte* text) => text is null ? "" : Marshal.PtrToStringUTF8((nint)text) ?? "";

    /// <returns>The bytes before the first zero.</returns>
    public static string Read(ReadOnlySpan<byte> buffer)
    {
        var end = buffer.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? buffer : buffer[..end]);
    }
}
