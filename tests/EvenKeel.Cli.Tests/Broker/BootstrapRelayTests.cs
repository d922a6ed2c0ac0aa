using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using EvenKeel.Cli.Broker;
using Xunit;

namespace EvenKeel.Cli.Tests.Broker;

public sealed class BootstrapRelayTests : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _told = new();
    private BootstrapRelay _relay = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _server.Start(2 * BootstrapRelay.MaxConnections);
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _relay = new BootstrapRelay(listener, (IPEndPoint)_server.LocalEndpoint, _told.Enqueue);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _relay.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task Bytes_pass_both_ways_and_a_half_closed_side_still_hears_the_answer()
    {
        using var client = await ConnectAsync();
        using var server = await _server.AcceptSocketAsync(Cancellation);
        var sent = Enumerable.Range(0, 1_000_000).Select(i => (byte)(i % 251)).ToArray();

        // 1. The client says all and closes its sending side; 2. the server reads to that end; 3. and answers only then.
        var heard = ReadToEndAsync(server);
        await SendAsync(client, sent);
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(sent, await heard.WaitAsync(Deadline, Cancellation));
        await SendAsync(server, sent);
        server.Shutdown(SocketShutdown.Send);

        Assert.Equal(sent, await ReadToEndAsync(client).WaitAsync(Deadline, Cancellation));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cut_on_one_side_is_a_cut_on_the_other(bool byClient)
    {
        using var client = await ConnectAsync();
        using var server = await _server.AcceptSocketAsync(Cancellation);

        await SendAsync(client, new byte[1]);
        Assert.Equal(1, await server.ReceiveAsync(new byte[2], SocketFlags.None, Cancellation));

        (byClient ? client : server).Close(timeout: 0);

        var read = ReadToEndAsync(byClient ? server : client);
        var cut = await Assert.ThrowsAsync<SocketException>(() => read.WaitAsync(Deadline, Cancellation));
        Assert.Equal(SocketError.ConnectionReset, cut.SocketErrorCode);
        Assert.Empty(_told);
    }

    [Fact]
    public async Task At_the_bound_a_connection_is_cut_and_told_once_and_after_one_ended_there_is_room()
    {
        var clients = new List<Socket>();
        var servers = new List<Socket>();
        for (var i = 0; i < BootstrapRelay.MaxConnections; i++)
        {
            clients.Add(await ConnectAsync());
            servers.Add(await _server.AcceptSocketAsync(Cancellation).AsTask().WaitAsync(Deadline, Cancellation));
        }

        for (var i = 0; i < 3; i++)
            Assert.True(await IsCutAsync(), $"Connection {i + 1} over the bound was served.");
        Assert.Contains($"{BootstrapRelay.MaxConnections} connections are open", Assert.Single(_told), StringComparison.Ordinal);

        // The end of a connection is seen a moment after its client has closed.
        clients[0].Close(timeout: 0);
        using (var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancellation))
        {
            deadline.CancelAfter(Deadline);
            while (await IsCutAsync())
                deadline.Token.ThrowIfCancellationRequested();
        }
        Assert.True(_server.Pending(), "The connection within the bound did not reach the server.");
        foreach (var socket in clients.Concat(servers))
            socket.Dispose();

        async Task<bool> IsCutAsync()
        {
            // One within the bound is served: the server's listener sees it, and nothing is cut.
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                // The cut may be seen by either call.
                await probe.ConnectAsync(_relay.Address, Cancellation);
                var read = probe.ReceiveAsync(new byte[1], SocketFlags.None, Cancellation).AsTask();
                using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
                while (!read.IsCompleted && !_server.Pending())
                    await tick.WaitForNextTickAsync(Cancellation).AsTask().WaitAsync(Deadline, Cancellation);
                if (read.IsCompleted)
                    await read;
                return false;
            }
            catch (SocketException cut) when (cut.SocketErrorCode == SocketError.ConnectionReset)
            {
                return true;
            }
        }
    }

    [Fact]
    public async Task Its_end_cuts_what_is_open_and_returns_though_nobody_reads()
    {
        using var client = await ConnectAsync();
        using var server = await _server.AcceptSocketAsync(Cancellation);

        // Nobody reads at the other end: the relay's write hangs when every buffer is full.
        var endless = Task.Run(async () =>
        {
            while (true)
                await client.SendAsync(new byte[64 * 1024], SocketFlags.None, Cancellation);
        }, Cancellation);
        await _relay.DisposeAsync().AsTask().WaitAsync(Deadline, Cancellation);

        await Assert.ThrowsAsync<SocketException>(() => endless.WaitAsync(Deadline, Cancellation));
        Assert.True(_relay.Ended.IsCompletedSuccessfully);
        await Assert.ThrowsAsync<SocketException>(ConnectAsync);
    }

    [Fact]
    public async Task A_broker_that_is_not_there_is_told_and_the_client_is_cut()
    {
        _server.Stop();

        // The cut may be seen by either call.
        var cut = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            using var client = await ConnectAsync();
            await ReadToEndAsync(client).WaitAsync(Deadline, Cancellation);
        });
        Assert.Equal(SocketError.ConnectionReset, cut.SocketErrorCode);
        Assert.Contains("could not be reached", Assert.Single(_told), StringComparison.Ordinal);
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, Cancellation)..];
    }

    private static async Task<byte[]> ReadToEndAsync(Socket socket)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await socket.ReceiveAsync(buffer, SocketFlags.None, Cancellation)) > 0)
            all.Write(buffer, 0, read);
        return all.ToArray();
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(_relay.Address, Cancellation);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
