using System.Globalization;
using System.Net;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using EvenKeel.Queue;
using MetricStream.Queueing;
using MetricStream.Storing;
using MetricStream.Streaming;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace MetricStream.Tests.Streaming;

/// <summary>The stream on a real Kestrel over a real queue in a folder of its own, with a real store where a test asks for one.</summary>
internal sealed class StreamServer : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-stream-").FullName;
    private readonly WebApplication _app;
    private readonly StoreLoop? _loop;
    private int _batches;

    private StreamServer(StreamOptions options, bool withStore, long segmentBytes)
    {
        Queue = DurableQueue.Open(new DurableQueueOptions { Directory = Path.Combine(_folder, "queue"), SegmentBytes = segmentBytes });
        if (withStore)
        {
            Store = SqliteMetricStore.Open(Path.Combine(_folder, "store.db"));
            _loop = new StoreLoop(Queue, Store, TimeProvider.System, NullLogger.Instance);
            _loop.Start();
        }

        Hub = new StreamHub(new QueueSource(Queue, Store), options, TimeProvider.System, NullLogger.Instance);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        _app = builder.Build();
        new StreamEndpoint(Hub, options, NullLogger.Instance).Map(_app);
    }

    public DurableQueue Queue { get; }

    public SqliteMetricStore? Store { get; }

    public StreamHub Hub { get; }

    public HttpClient Client { get; } = new(new SocketsHttpHandler { MaxConnectionsPerServer = 2000 }) { Timeout = Timeout.InfiniteTimeSpan };

    public static async Task<StreamServer> StartAsync(
        StreamOptions? options = null, bool withStore = false, long segmentBytes = 64 << 20)
    {
        var server = new StreamServer(options ?? new StreamOptions(), withStore, segmentBytes);
        server.Hub.Start();
        await server._app.StartAsync(TestContext.Current.CancellationToken);
        server.Client.BaseAddress = new Uri(server._app.Urls.Single());
        return server;
    }

    /// <summary>Makes a batch durable; returns its sequence.</summary>
    public async Task<long> PostAsync(string body)
    {
        var header = new byte[BatchRecord.MaxHeaderBytes];
        var id = Encoding.ASCII.GetBytes((_batches++).ToString(CultureInfo.InvariantCulture));
        var length = BatchRecord.WriteHeader(header, BatchRecordKind.Batch, 1000, 1, "tester"u8, id);
        return await Queue.AppendAsync(header.AsSpan(0, length), Encoding.UTF8.GetBytes(body));
    }

    public Task<long> PostAsync(string name, double value, long time, string tags = "{}") => PostAsync(FormattableString.Invariant(
        $$"""{"metrics":[{"name":"{{name}}","type":"gauge","value":{{value}},"timestamp":{{time}},"tags":{{tags}}}]}"""));

    /// <summary>Subscribes; returns when the server has taken it in.</summary>
    public async Task<Subscription> SubscribeAsync(string query = "", string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/stream" + query);
        if (lastEventId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        return new Subscription(response);
    }

    /// <summary>A subscriber that asks (by HTTP/1.0: no chunks between the bytes) and then reads nothing.</summary>
    public async Task<Socket> SubscribeAndSleepAsync(string query = "")
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(IPAddress.Loopback, Client.BaseAddress!.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /stream{query} HTTP/1.0\r\nHost: x\r\n\r\n"));
        return socket;
    }

    /// <summary>Waits until everything is stored and the queue has removed the segments before its last.</summary>
    public Task StoredAsync() => Eventually(
        () => Queue.Head > 0 && Queue.Acked == Queue.Durable, () => $"head {Queue.Head}, acked {Queue.Acked}, durable {Queue.Durable}");

    public static async Task Eventually(Func<bool> condition, Func<string> state)
    {
        using var poll = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        for (var left = 2000; !condition(); left--)
        {
            if (left == 0)
                throw new TimeoutException($"Not within 20 s: {state()}");
            await poll.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Hub.Stop();
        Client.Dispose();
        using (var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5)))
            await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
        Hub.Dispose();
        _loop?.Stop(TimeSpan.FromSeconds(5));
        _loop?.Dispose();
        Store?.Dispose();
        await Queue.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>One event as a browser has it.</summary>
internal sealed record StreamEvent(string Id, string Name, string Tags, IReadOnlyList<(long Time, double? Value)> Points, long Dropped);

/// <summary>One connection to the stream, read event by event. A read fails after 20 s.</summary>
internal sealed class Subscription(HttpResponseMessage response) : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private IAsyncEnumerator<SseItem<string>>? _items;
    private SseParser<string>? _parser;

    public HttpResponseMessage Response => response;

    public string LastEventId => _parser!.LastEventId;

    /// <summary>The next event; null at the end of the stream.</summary>
    public async Task<StreamEvent?> NextAsync()
    {
        if (_items is null)
        {
            _parser = SseParser.Create(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
            _items = _parser.EnumerateAsync(_end.Token).GetAsyncEnumerator();
        }

        _end.CancelAfter(TimeSpan.FromSeconds(20));
        if (!await _items.MoveNextAsync())
            return null;
        Assert.Equal("sample", _items.Current.EventType);
        using var json = JsonDocument.Parse(_items.Current.Data);
        Assert.Equal(["name", "tags", "points", "dropped"], json.RootElement.EnumerateObject().Select(member => member.Name));
        var points = json.RootElement.GetProperty("points").EnumerateArray()
            .Select(p => (p[0].GetInt64(), p[1].ValueKind == JsonValueKind.Null ? (double?)null : p[1].GetDouble())).ToList();
        return new StreamEvent(
            _items.Current.EventId!, json.RootElement.GetProperty("name").GetString()!, json.RootElement.GetProperty("tags").GetRawText(),
            points, json.RootElement.GetProperty("dropped").GetInt64());
    }

    /// <summary>Events until their points, and those they say were dropped, are so many.</summary>
    public async Task<List<StreamEvent>> UntilAsync(long points)
    {
        var events = new List<StreamEvent>();
        for (var seen = 0L; seen < points;)
        {
            var next = await NextAsync() ?? throw new EndOfStreamException($"The stream ended after {seen} of {points} points.");
            events.Add(next);
            seen += next.Points.Count + next.Dropped;
        }

        return events;
    }

    public void Dispose()
    {
        response.Dispose();
        _end.Dispose();
    }
}
