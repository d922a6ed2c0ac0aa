using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MetricStream.Intake;

namespace MetricStream.Admission;

/// <summary>
/// The keys of one key file. A line is <c>client-id:sha256-hex</c>, or <c>client-id:sha256-hex:read</c>; empty lines and those that begin
/// with <c>#</c> are passed over. A client may have several keys, so that one can be exchanged for another without a gap.
/// </summary>
internal sealed class KeyRing
{
    /// <summary>Each request is compared with every key, about 10 ns each.</summary>
    public const int MostKeys = 10_000;

    private const int HashBytes = SHA256.HashSizeInBytes;
    private const int LongestKey = 1024;
    private const string ReadRole = "read";

    // What 'sha256sum' prints when it was given nothing: a forgotten variable, not a key.
    private static readonly string HashOfNothing = Convert.ToHexString(SHA256.HashData([]));

    private readonly byte[] _hashes;
    private readonly ApiKey[] _keys;

    private KeyRing(byte[] hashes, ApiKey[] keys) => (_hashes, _keys) = (hashes, keys);

    public int Count => _keys.Length;

    /// <summary>Reads a key file's lines. Null and every violation with its line, when there is one.</summary>
    public static (KeyRing? Ring, IReadOnlyList<string> Violations) Read(IEnumerable<string> lines)
    {
        var violations = new List<string>();
        var keys = new List<ApiKey>();
        var lineOf = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        var number = 0;
        foreach (var line in lines.Select(line => line.Trim()))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (Flaw(line, out var client, out var hash, out var reads) is { } flaw)
                violations.Add(string.Create(CultureInfo.InvariantCulture, $"line {number}: {flaw}"));
            else if (!lineOf.TryAdd(hash, number))
                violations.Add(string.Create(CultureInfo.InvariantCulture,
                    $"line {number}: its key stands in line {lineOf[hash]} already; give each client a key of its own."));
            else
                keys.Add(new ApiKey(client, reads));
        }
        if (keys.Count == 0 && violations.Count == 0)
            violations.Add("it has no key, nobody could post or read: write a line client-id:sha256-hex, or leave --api-keys out.");
        if (keys.Count > MostKeys)
            violations.Add(string.Create(CultureInfo.InvariantCulture, $"it has {keys.Count} keys, {MostKeys} are the most: remove some."));
        return violations.Count > 0
            ? (null, violations) : (new KeyRing([.. lineOf.Keys.SelectMany(Convert.FromHexString)], [.. keys]), []);
    }

    /// <summary>The key with that text; null when there is none. The time it takes tells nothing of the keys there are: what is compared
    /// are hashes, all of them, each to its end.</summary>
    public ApiKey? Find(string key)
    {
        if (key.Length is 0 or > LongestKey)
            return null;
        Span<byte> bytes = stackalloc byte[LongestKey];
        // Headers are decoded as Latin-1: the bytes are those that were sent.
        bytes = bytes[..Encoding.Latin1.GetBytes(key, bytes)];
        Span<byte> hash = stackalloc byte[HashBytes];
        SHA256.HashData(bytes, hash);
        ApiKey? found = null;
        for (var i = 0; i < _keys.Length; i++)
        {
            if (CryptographicOperations.FixedTimeEquals(_hashes.AsSpan(i * HashBytes, HashBytes), hash))
                found = _keys[i];
        }
        return found;
    }

    /// <summary>Takes the place of an older ring: keys that are in both with the same rights go on, the others of the old one are revoked.
    /// </summary>
    /// <returns>How many came and how many went.</returns>
    public (int Added, int Revoked) Replace(KeyRing old)
    {
        var before = new Dictionary<string, ApiKey>(StringComparer.Ordinal);
        for (var i = 0; i < old.Count; i++)
            before.Add(old.NameOf(i), old._keys[i]);
        var added = 0;
        for (var i = 0; i < Count; i++)
        {
            if (before.Remove(NameOf(i), out var same))
                _keys[i] = same;
            else
                added++;
        }
        foreach (var gone in before.Values)
            gone.Revoke();
        return (added, before.Count);
    }

    private string NameOf(int index) =>
        $"{_keys[index].Client}:{Convert.ToHexString(_hashes, index * HashBytes, HashBytes)}:{_keys[index].Reads}";

    // From the right: a client id may have colons.
    private static string? Flaw(string line, out string client, out string hash, out bool reads)
    {
        var parts = line.Split(':');
        reads = parts.Length > 2 && parts[^1] == ReadRole;
        var end = reads ? parts.Length - 1 : parts.Length;
        hash = parts[end - 1];
        client = string.Join(':', parts[..(end - 1)]);
        // Neither the line nor its parts are repeated: somebody may have written the key itself.
        if (end < 2)
            return "write it as client-id:sha256-hex or client-id:sha256-hex:read.";
        if (hash.Length != HashBytes * 2 || !hash.All(char.IsAsciiHexDigit))
        {
            return parts.Length > 2 && parts[^2].Length == HashBytes * 2
                ? "its role is unknown: the only one is read, and a key without a role posts."
                : $"what stands for the key is not the {HashBytes * 2} hexadecimal digits of its SHA-256 (printf %s \"$KEY\" | sha256sum).";
        }
        if (hash.Equals(HashOfNothing, StringComparison.OrdinalIgnoreCase))
            return "this is the SHA-256 of nothing: hash the key itself (printf %s \"$KEY\" | sha256sum).";
        return !Ascii.IsValid(client) || ClientId.Flaw(Encoding.ASCII.GetBytes(client)) is not null
            ? "its client id must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, not '.' or '..'." : null;
    }
}
