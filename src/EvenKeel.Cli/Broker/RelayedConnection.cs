using System.Net;
using System.Net.Sockets;

namespace EvenKeel.Cli.Broker;

/// <summary>A client's connection and the one to the broker that it is joined to; each byte, and each end, is passed on.</summary>
internal static class RelayedConnection
{
    private const int BufferBytes = 16 * 1024;

    /// <summary>Ends when both directions have ended, or either side was cut; owns and closes the client's socket.</summary>
    public static async Task RunAsync(Socket client, IPEndPoint target, Action<string> tell, CancellationToken stop)
    {
        var broker = (Socket?)null;
        try
        {
            broker = await ConnectAsync(target, tell, stop).ConfigureAwait(false);
            client.NoDelay = true;
            using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);

            // Both before a byte is passed: a socket whose sending side is shut down counts as not connected, and gets no stream any more.
            await using var ofClient = new NetworkStream(client, ownsSocket: false);
            await using var ofBroker = new NetworkStream(broker, ownsSocket: false);
            await Task.WhenAll(PassAsync(ofClient, ofBroker, over), PassAsync(ofBroker, ofClient, over)).ConfigureAwait(false);
        }
        catch (Exception cut) when (cut is IOException or SocketException or OperationCanceledException)
        {
            // A cut on one side is a cut on the other, as if nothing stood between.
            client.Close(timeout: 0);
            broker?.Close(timeout: 0);
        }
        finally
        {
            client.Dispose();
            broker?.Dispose();
        }
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint target, Action<string> tell, CancellationToken stop)
    {
        var broker = (Socket?)null;
        try
        {
            broker = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await broker.ConnectAsync(target, stop).ConfigureAwait(false);
            return broker;
        }
        catch (Exception failed) when (failed is SocketException or OperationCanceledException)
        {
            broker?.Dispose();
            if (failed is SocketException)
                tell($"A connection was refused: the embedded broker at {target} could not be reached: {failed.Message}");
            throw;
        }
    }

    /// <summary>One direction. Its orderly end closes the sending side alone: the other direction may have more to say.</summary>
    private static async Task PassAsync(NetworkStream from, NetworkStream to, CancellationTokenSource over)
    {
        try
        {
            await from.CopyToAsync(to, BufferBytes, over.Token).ConfigureAwait(false);
            to.Socket.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            await over.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }
}
