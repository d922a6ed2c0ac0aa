using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StreamBench;

/// <summary>What subscribers got, all of them together.</summary>
internal sealed record Received(long Subscribers, long Silent, long Events, long Points)
{
    public static Received Read(string line)
    {
        var numbers = line.Split(' ').Select(long.Parse).ToArray();
        return new Received(numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    public override string ToString() => FormattableString.Invariant($"{Subscribers} {Silent} {Events} {Points}");
}

/// <summary>Subscribers of <c>/stream</c> in a process of their own: they read what comes and count it, nothing is parsed.</summary>
internal static class Subscribers
{
    private const int Together = 50;

    /// <summary>Connects, says so, reads until the standard input ends, prints what was received.</summary>
    public static async Task RunAsync(Uri address, int count, int names)
    {
        var lines = new List<Line>();
        while (lines.Count < count)
        {
            var first = lines.Count;
            lines.AddRange(await Task.WhenAll(Enumerable.Range(first, Math.Min(Together, count - first))
                .Select(i => Line.ConnectAsync(address, FormattableString.Invariant($"?name={StreamLoad.Prefix}{i % names}")))));
        }

        var reading = lines.Select(line => line.ReadAsync()).ToArray();
        await Console.Out.WriteLineAsync("subscribed");
        await Console.In.ReadToEndAsync();
        lines.ForEach(line => line.Dispose());
        await Task.WhenAll(reading);
        await Console.Out.WriteLineAsync(new Received(
            count, lines.Count(line => line.Events == 0), lines.Sum(line => line.Events), lines.Sum(line => line.Points)).ToString());
    }
}

/// <summary>One connection to <c>/stream</c>.</summary>
internal sealed class Line : IDisposable
{
    private readonly Socket _socket;

    private Line(Socket socket) => _socket = socket;

    public long Events { get; private set; }

    public long Points { get; private set; }

    public static async Task<Line> ConnectAsync(Uri address, string query, int? receiveBuffer = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer is { } bytes)
            socket.ReceiveBufferSize = bytes;
        await socket.ConnectAsync(IPAddress.Loopback, address.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /stream{query} HTTP/1.1\r\nHost: {address.Authority}\r\nAccept: text/event-stream\r\n\r\n"));
        return new Line(socket);
    }

    /// <summary>Counts until the connection ends. An event is one series: <c>{…"tags":{…},"points":[[…],…]}</c>.</summary>
    public async Task ReadAsync()
    {
        var buffer = new byte[16 * 1024];
        var (braces, brackets) = (0L, 0L);
        try
        {
            while (await _socket.ReceiveAsync(buffer) is > 0 and var read)
            {
                braces += buffer.AsSpan(0, read).Count((byte)'{');
                brackets += buffer.AsSpan(0, read).Count((byte)'[');
                (Events, Points) = (braces / 2, brackets - (braces / 2));
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // The end of the measurement closes the socket under the read.
            return;
        }
    }

    public void Dispose() => _socket.Dispose();
}
