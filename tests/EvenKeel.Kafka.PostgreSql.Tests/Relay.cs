using System.Net;
using System.Net.Sockets;

namespace EvenKeel.Kafka.PostgreSql.Tests;

/// <summary>A wire between the client and the server that can be cut: connections break, and new ones are refused until it is mended.</summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly string _host;
    private readonly int _port;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    // Guarded by _gate.
    private readonly Lock _gate = new();
    private readonly List<TcpClient> _ends = [];
    private bool _cut;

    public Relay(string host, int port)
    {
        (_host, _port) = (host, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Cut()
    {
        lock (_gate)
        {
            _cut = true;
            foreach (var end in _ends)
                end.Dispose();
            _ends.Clear();
        }
    }

    public void Mend()
    {
        lock (_gate)
            _cut = false;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var near = await _listener.AcceptTcpClientAsync(_stop.Token);
            var far = new TcpClient();
            lock (_gate)
            {
                _ends.AddRange([near, far]);
                if (_cut)
                {
                    near.Dispose();
                    continue;
                }
            }
            _ = JoinAsync(near, far);
        }
    }

    private async Task JoinAsync(TcpClient near, TcpClient far)
    {
        try
        {
            await far.ConnectAsync(_host, _port, _stop.Token);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            near.Dispose(); // Cut while it connected, or the server is away: the client sees it as well.
            return;
        }
        await Task.WhenAll(CopyAsync(near, far), CopyAsync(far, near));
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream());
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or InvalidOperationException)
        {
            to.Dispose(); // Cut here: the other end sees it as well.
        }
        finally
        {
            from.Dispose();
        }
    }
}
