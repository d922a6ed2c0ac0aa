using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EvenKeel.Kafka.Publishing;

namespace EvenKeel.Kafka.PostgreSql;

/// <summary>
/// A lane is what events of one topic and key have in common, as a number: the name of the lock that puts their recordings in order, and
/// short enough for an index. Two keys on one number would wait for each other, and nothing worse.
/// </summary>
internal static class EventLane
{
    /// <returns>Null for an event without a key.</returns>
    public static long? Of(string schema, OutgoingEvent outgoing) => outgoing.Key.IsEmpty
        ? null
        : Hash(Encoding.UTF8.GetBytes($"event\0{schema}\0{outgoing.Topic}\0"), outgoing.Key.Span);

    public static long OfSchema(string schema) => Hash(Encoding.UTF8.GetBytes($"schema\0{schema}"), default);

    private static long Hash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(first);
        hash.AppendData(second);
        return BinaryPrimitives.ReadInt64BigEndian(hash.GetHashAndReset());
    }
}
