using System.Net;
using System.Net.Sockets;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// A port that nobody else who leases has, in this process or another on this machine, until it is disposed of. It lies below the range
/// from which the system gives ports to connections, so nothing takes it by chance.
/// </summary>
public sealed class PortLease : IDisposable
{
    private readonly LeaseFile _lease;
    private readonly Action<PortLease> _ended;
    private int _disposed;

    internal PortLease(int port, LeaseFile lease, Action<PortLease> ended)
    {
        Port = port;
        _lease = lease;
        _ended = ended;
    }

    /// <summary>The number.</summary>
    public int Port { get; }

    /// <summary>
    /// A socket that listens on the port already, for servers that can take one over: between the lease and their start nobody, not even
    /// somebody who leases nothing, can come between. (Kestrel: <c>ListenHandle</c>.) It is the caller's to dispose of.
    /// </summary>
    /// <param name="backlog">Connections that wait to be accepted.</param>
    public Socket Listen(int backlog = 512)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, Port));
            socket.Listen(backlog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Gives the port back.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _ended(this);
        _lease.Dispose();
    }
}
