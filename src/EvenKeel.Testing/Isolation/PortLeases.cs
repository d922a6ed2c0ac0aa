using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>The ports that a run has leased; a port has one lease file, so no two holders on the machine get the same.</summary>
internal sealed class PortLeases : IDisposable
{
    public const int First = 15_000;
    public const int Last = 25_000;
    private readonly string _folder;
    private readonly ConcurrentDictionary<PortLease, LeakMark> _held = new();

    public PortLeases(LeaseFolder folder)
    {
        _folder = folder.Of("ports");
        Directory.CreateDirectory(_folder);
    }

    /// <exception cref="InvalidOperationException">All are leased or in use.</exception>
    public PortLease Take()
    {
        const int Count = Last - First + 1;

        // Processes that begin at the same place would try each other's ports one after the other.
        var start = RandomNumberGenerator.GetInt32(Count);
        for (var i = 0; i < Count; i++)
        {
            var port = First + (start + i) % Count;
            if (LeaseFile.TryTake(Path.Combine(_folder, $"{port}.lock")) is not { } lease)
                continue;
            if (!IsFree(port))
            {
                lease.Dispose();
                continue;
            }
            var held = new PortLease(port, lease, End);
            _held[held] = LeakRegister.Open(LeakKind.Port, $"port {port}");
            return held;
        }
        throw new InvalidOperationException(
            $"All ports from {First} to {Last} are leased or in use: is something leasing ports without giving them back?");
    }

    /// <summary>Gives back what nobody did; the leak register keeps it, to be told with its test.</summary>
    public void Dispose()
    {
        foreach (var held in _held.Keys)
        {
            _held.TryRemove(held, out _);
            held.Dispose();
        }
    }

    private void End(PortLease lease)
    {
        if (_held.TryRemove(lease, out var mark))
            mark.Close();
    }

    /// <summary>Whether nobody listens there, on any address of this machine; of those who do not lease nothing else is known.</summary>
    private static bool IsFree(int port)
    {
        using var probe = Socket.OSSupportsIPv6
            ? new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true }
            : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Bind(new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            return true;
        }
        catch (SocketException taken) when (taken.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
        {
            return false;
        }
    }
}
