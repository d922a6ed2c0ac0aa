using System.Text;

namespace MetricStream.Admission;

/// <summary>An API key: whose it is and what it may do. The key itself is known to its holder alone, here is its SHA-256.</summary>
/// <param name="client">The client id its holder posts under.</param>
/// <param name="reads">It reads everything; else its holder's own batches only.</param>
internal sealed class ApiKey(string client, bool reads) : IDisposable
{
    private readonly CancellationTokenSource _revoked = new();

    public string Client { get; } = client;

    /// <summary>The client id as records and the ledger have it.</summary>
    public byte[] ClientId { get; } = Encoding.ASCII.GetBytes(client);

    public bool Reads { get; } = reads;

    /// <summary>Ends what was begun with this key and would last, when the key goes.</summary>
    public CancellationToken Revoked => _revoked.Token;

    public void Revoke() => _revoked.Cancel();

    public void Dispose() => _revoked.Dispose();
}
