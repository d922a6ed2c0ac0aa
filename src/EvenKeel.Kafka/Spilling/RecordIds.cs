using System.Buffers.Text;
using System.Collections;
using System.Security.Cryptography;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// Names each acceptance of a record: 96 random bits of the producer and a number, as text. A replay carries the name of the acceptance.
/// </summary>
internal sealed class RecordIds
{
    private const int RandomBytes = 12;
    private const int MaxIdBytes = 2 * RandomBytes + 1 + 20;

    [ThreadStatic]
    private static IdentifiedHeaders? Scratch;

    private readonly byte[] _prefix =
        [.. Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes)).Select(c => (byte)c), (byte)'-'];
    private long _last;

    /// <summary>The headers with an id; the caller's own id stays. Valid until the next call on this thread.</summary>
    public IReadOnlyList<RecordHeader> Identify(IReadOnlyList<RecordHeader>? headers)
    {
        for (var i = 0; i < headers?.Count; i++)
        {
            if (string.Equals(headers[i].Name, SpillingProducer.RecordIdHeader, StringComparison.Ordinal))
                return headers;
        }
        var identified = Scratch ??= new IdentifiedHeaders();
        _prefix.CopyTo(identified.Id.AsSpan());
        Utf8Formatter.TryFormat(Interlocked.Increment(ref _last), identified.Id.AsSpan(_prefix.Length), out var digits);
        identified.Set(headers, _prefix.Length + digits);
        return identified;
    }

    /// <summary>A caller's headers and one more, without a list of its own for each record.</summary>
    private sealed class IdentifiedHeaders : IReadOnlyList<RecordHeader>
    {
        private IReadOnlyList<RecordHeader>? _own;
        private RecordHeader _id;

        public byte[] Id { get; } = new byte[MaxIdBytes];

        public int Count => (_own?.Count ?? 0) + 1;

        public RecordHeader this[int index] => index < (_own?.Count ?? 0) ? _own![index] : _id;

        public void Set(IReadOnlyList<RecordHeader>? own, int idBytes)
        {
            _own = own;
            _id = new RecordHeader(SpillingProducer.RecordIdHeader, Id.AsMemory(0, idBytes));
        }

        public IEnumerator<RecordHeader> GetEnumerator() => Enumerable.Range(0, Count).Select(index => this[index]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
