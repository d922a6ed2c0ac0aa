using System.Buffers.Binary;
using System.Text;

namespace MetricStream.Tests.Telemetry;

/// <summary>A protobuf message read field by field (protobuf.dev, "Encoding"): enough to look into what was sent.</summary>
internal sealed class ProtobufMessage
{
    private readonly List<(int Field, long Number, byte[]? Bytes, bool IsFixed)> _fields = [];

    public ProtobufMessage(ReadOnlyMemory<byte> bytes)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            var tag = Varint(bytes.Span, ref at);
            var field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    _fields.Add((field, Varint(bytes.Span, ref at), null, false));
                    break;
                case 1:
                    _fields.Add((field, BinaryPrimitives.ReadInt64LittleEndian(bytes.Span[at..]), null, true));
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(bytes.Span, ref at);
                    _fields.Add((field, 0, bytes.Slice(at, length).ToArray(), false));
                    at += length;
                    break;
                case 5:
                    _fields.Add((field, BinaryPrimitives.ReadInt32LittleEndian(bytes.Span[at..]), null, true));
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"Wire type {tag & 7} of field {field} is none.");
            }
        }
    }

    public IEnumerable<ProtobufMessage> Messages(int field) =>
        _fields.Where(one => one.Field == field && one.Bytes is not null).Select(one => new ProtobufMessage(one.Bytes!));

    public string Text(int field) => Encoding.UTF8.GetString(Bytes(field));

    public string Hex(int field) => Convert.ToHexStringLower(Bytes(field));

    public long? Fixed(int field) => _fields.Where(one => one.Field == field && one.IsFixed).Select(one => (long?)one.Number).FirstOrDefault();

    public long? Number(int field) =>
        _fields.Where(one => one.Field == field && one.Bytes is null && !one.IsFixed).Select(one => (long?)one.Number).FirstOrDefault();

    private byte[] Bytes(int field) => _fields.Where(one => one.Field == field).Select(one => one.Bytes).FirstOrDefault() ?? [];

    private static long Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0L;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (long)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
