using System.Net;
using System.Net.Sockets;

namespace EvenKeel.Cli.Broker;

/// <summary>
/// The bootstrap relay listens on the port that the user chose and joins each connection to the embedded broker, which cannot choose its
/// own. Clients ask there for the brokers' addresses and then talk to the broker itself.
/// </summary>
internal sealed class BootstrapRelay : IAsyncDisposable
{
    /// <summary>Each takes three descriptors of this process, the broker's own end included.</summary>
    public const int MaxConnections = 256;

    private readonly TcpListener _listener;
    private readonly IPEndPoint _target;
    private readonly Action<string> _tell;
    private readonly CancellationTokenSource _stop = new();

    // Accept loop only, and after its end the disposal.
    private readonly List<Task> _open = [];
    private bool _isFullTold;

    /// <summary>Takes over a listener that has been started.</summary>
    /// <param name="listener">On the port of the user's choice; closed with the relay.</param>
    /// <param name="target">The embedded broker.</param>
    /// <param name="tell">Takes a line for the user about what was refused.</param>
    public BootstrapRelay(TcpListener listener, IPEndPoint target, Action<string> tell)
    {
        _listener = listener;
        _target = target;
        _tell = tell;
        Ended = AcceptAsync();
    }

    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>Ends with the disposal; fails when no more connections can be accepted.</summary>
    public Task Ended { get; }

    /// <summary>Cuts every connection and waits until each is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);

        // Its failure is the result of Ended, for whoever waits for that.
        await Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener.Dispose();
        await Task.WhenAll(_open).ConfigureAwait(false);
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException failed) when (failed.SocketErrorCode == SocketError.TooManyOpenSockets && _open.Count > 0)
            {
                // Whoever asks for a connection stays in the system's line meanwhile: accepting again at once would only spin.
                TellFull($"No descriptor is free for another connection (ulimit -n): {failed.Message}");
                await WaitForAnEndAsync().ConfigureAwait(false);
                continue;
            }

            _open.RemoveAll(connection => connection.IsCompleted);
            if (_open.Count < MaxConnections)
            {
                _isFullTold = false;
                _open.Add(RelayedConnection.RunAsync(client, _target, _tell, _stop.Token));
                continue;
            }
            client.Close(timeout: 0);
            TellFull($"{MaxConnections} connections are open through {Address}, the most there can be: more are cut until one ends.");
        }
    }

    private async Task WaitForAnEndAsync()
    {
        // No connection fails, and the stop ends them all.
        await Task.WhenAny(_open).ConfigureAwait(false);
        _open.RemoveAll(connection => connection.IsCompleted);
    }

    private void TellFull(string line)
    {
        if (_isFullTold)
            return;
        _isFullTold = true;
        _tell(line);
    }
}
