using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using MetricStream.Serving;

namespace MetricStream.Kafka;

/// <summary>
/// The record ids of one server: <c>ms-{server}-{run}-{number}</c>. The server's own part stays with its data directory, so that the store
/// can tell its acceptances from those of others; a repetition of ours keeps the id of the acceptance.
/// </summary>
internal sealed class AcceptanceIds
{
    public const int MaxBytes = 3 + ServerBytes + 1 + RunBytes + 1 + 20;

    private const int ServerBytes = 32;
    private const int RunBytes = 16;
    private const string FileName = "server-id";

    private static readonly byte[] Mark = "ms-"u8.ToArray();

    private readonly byte[] _prefix;
    private readonly byte[] _server;
    private long _last;

    private AcceptanceIds(string server)
    {
        _server = Encoding.ASCII.GetBytes(server);
        var run = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RunBytes / 2));
        _prefix = Encoding.ASCII.GetBytes($"ms-{server}-{run}-");
    }

    /// <summary>The name of the server that a data directory belongs to; empty while it has none.</summary>
    public static string NameIn(string data) => File.Exists(Path.Combine(data, FileName)) ? Of(data).Server : "";

    /// <summary>The ids of the server that a data directory belongs to, which is named here when it has no name yet.</summary>
    /// <exception cref="StartRefusedException">The name cannot be read or written.</exception>
    public static AcceptanceIds Of(string data)
    {
        var file = Path.Combine(data, FileName);
        try
        {
            if (!File.Exists(file))
            {
                // Written aside and renamed: a crash leaves no half of it.
                File.WriteAllText(file + ".new", Guid.NewGuid().ToString("n") + "\n");
                File.Move(file + ".new", file, overwrite: true);
            }
            var name = File.ReadAllText(file).Trim();
            if (!Guid.TryParseExact(name, "n", out _))
            {
                throw new StartRefusedException(
                    $"'{file}' holds no server id but '{name}'. Restore it; without it the server gets another name.");
            }
            return new AcceptanceIds(name);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"'{file}' cannot be read or written: {error.Message} Mend the rights or free space.", error);
        }
    }

    /// <summary>Writes the id of one more acceptance.</summary>
    public int WriteNext(Span<byte> destination)
    {
        _prefix.CopyTo(destination);
        if (!Utf8Formatter.TryFormat(Interlocked.Increment(ref _last), destination[_prefix.Length..], out var digits))
            throw new InvalidOperationException($"{destination.Length} bytes are too few for a record id: {MaxBytes} are needed.");
        return _prefix.Length + digits;
    }

    /// <summary>This server's own part, by which the store tells its acceptances from those of others.</summary>
    public string Server => Encoding.ASCII.GetString(_server);

    /// <summary>The server whose acceptance a record id names; empty for an id that no MetricStream server wrote.</summary>
    public static ReadOnlySpan<byte> ServerOf(ReadOnlySpan<byte> recordId) =>
        recordId.Length > Mark.Length + ServerBytes && recordId.StartsWith(Mark) && recordId[Mark.Length + ServerBytes] == (byte)'-'
            ? recordId.Slice(Mark.Length, ServerBytes) : [];
}
