using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Queueing;
using MetricStream.Storing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MetricStream.Tests.Intake;

/// <summary>Intake on a real Kestrel on a free port, with a queue whose behaviour a test decides.</summary>
internal sealed class IntakeServer : IAsyncDisposable
{
    public const string GoodBody = """{"metrics":[{"name":"cpu","value":0.5,"type":"gauge","tags":{"host":"web-1"}}]}""";

    private readonly WebApplication _app;
    private readonly ErrorLog _errors;

    private IntakeServer(WebApplication app, MetricsEndpoint endpoint, ScriptedQueue queue, IntakeLedger ledger, ErrorLog errors)
    {
        _app = app;
        _errors = errors;
        Endpoint = endpoint;
        Queue = queue;
        Ledger = ledger;
        Address = new Uri(app.Urls.Single());
        Client = new HttpClient { BaseAddress = Address };
    }

    public MetricsEndpoint Endpoint { get; }

    public ScriptedQueue Queue { get; }

    public IntakeLedger Ledger { get; }

    public Uri Address { get; }

    public HttpClient Client { get; }

    /// <summary>What was logged at error level or above: inputs must cause none of it.</summary>
    public IReadOnlyCollection<string> Errors => _errors.Lines;

    public static async Task<IntakeServer> StartAsync(
        IntakeOptions? options = null, IMetricStore? store = null, IBatchQueue? other = null, Gate? gate = null)
    {
        options ??= new IntakeOptions();
        var errors = new ErrorLog();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        // Hosting makes an Activity and a scope for every request where its own category is logged at any level.
        builder.Logging.ClearProviders().AddProvider(errors).AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        var queue = new ScriptedQueue();
        var ledger = new IntakeLedger(options.MaxClients);
        var app = builder.Build();
        var endpoint = new MetricsEndpoint(
            new BatchAcceptance(other ?? queue, store, options, TimeProvider.System),
            options,
            ledger,
            TimeProvider.System,
            app.Services.GetRequiredService<ILogger<MetricsEndpoint>>())
        {
            Gate = gate ?? Gate.Open,
        };
        app.UseRouting();
        app.UseProblemPages();
        endpoint.Map(app);
        await app.StartAsync();
        return new IntakeServer(app, endpoint, queue, ledger, errors);
    }

    public async Task<Answer> PostAsync(byte[] body, string? mediaType = "application/json", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/metrics") { Content = new ByteArrayContent(body) };
        if (mediaType is not null)
            request.Content.Headers.TryAddWithoutValidation("Content-Type", mediaType);
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await Client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new Answer((int)response.StatusCode, text, response.Content.Headers.ContentType?.MediaType, response.Headers);
    }

    public Task<Answer> PostAsync(string body, params (string Name, string Value)[] headers) =>
        PostAsync(Encoding.UTF8.GetBytes(body), "application/json", headers);

    /// <summary>A connection for what an HTTP client would not send. Reads fail after 20 s.</summary>
    public async Task<RawConnection> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, Address.Port);
        return new RawConnection(socket);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
        Endpoint.Dispose();
    }

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> Lines => _lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (level >= LogLevel.Error)
                _lines.Enqueue($"{formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>One HTTP answer.</summary>
internal sealed record Answer(int Status, string Body, string? MediaType, HttpResponseHeaders Headers)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>The errors of a problem as <c>index:field:code</c>, without the index where the batch itself is meant.</summary>
    public IReadOnlyList<string> Errors => Json.TryGetProperty("errors", out var errors)
        ? [.. errors.EnumerateArray().Select(error =>
            (error.TryGetProperty("index", out var index) ? index.GetInt32() + ":" : "")
            + error.GetProperty("field").GetString() + ":" + error.GetProperty("code").GetString())]
        : [];
}

/// <summary>A TCP connection that writes bytes as told and reads until the server closes or an answer is complete.</summary>
internal sealed class RawConnection(Socket socket) : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, deadline.Token)..];
    }

    /// <summary>Reads until <paramref name="isComplete"/>, or the stream ends or is reset: what came until then.</summary>
    public async Task<string> ReadAsync(Func<string, bool> isComplete)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var text = new StringBuilder();
        var buffer = new byte[8192];
        while (!isComplete(text.ToString()))
        {
            int read;
            try
            {
                read = await socket.ReceiveAsync(buffer, deadline.Token);
            }
            catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
            {
                break;
            }

            if (read == 0)
                break;
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    public Task<string> ReadToEndAsync() => ReadAsync(_ => false);

    /// <summary>Reads one answer into <paramref name="buffer"/>, of which an answer fills one packet, and allocates nothing.</summary>
    public ValueTask<int> ReadOnceAsync(Memory<byte> buffer) => socket.ReceiveAsync(buffer, SocketFlags.None);

    public ValueTask<int> SendOnceAsync(ReadOnlyMemory<byte> bytes) => socket.SendAsync(bytes, SocketFlags.None);

    public void HalfClose() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Closes with a reset, as a crashed client or a cut cable does.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    public void Dispose() => socket.Dispose();
}

/// <summary>A queue that keeps its records in memory and refuses, fails or waits when a test says so.</summary>
internal sealed class ScriptedQueue : IBatchQueue
{
    private readonly ConcurrentQueue<byte[]> _records = new();

    /// <summary>Runs before each append completes; what it throws is the append's outcome.</summary>
    public Func<BatchRecord, Task>? BeforeDurable { get; set; }

    public IReadOnlyList<BatchRecord> Records => [.. _records.Select(Parse)];

    public int Count => _records.Count;

    public ValueTask<long> AppendAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body, string? traceParent)
    {
        var record = new byte[header.Length + body.Length];
        header.CopyTo(record);
        body.CopyTo(record.AsSpan(header.Length));
        return new ValueTask<long>(KeepAsync(record));
    }

    public static string BodyOf(BatchRecord record) => Encoding.UTF8.GetString(record.Body.Span);

    private static BatchRecord Parse(byte[] record) =>
        BatchRecord.TryRead(record, out var batch) ? batch : throw new InvalidOperationException("Intake appended what is no record.");

    private async Task<long> KeepAsync(byte[] record)
    {
        if (BeforeDurable is { } before)
            await before(Parse(record));
        _records.Enqueue(record);
        return _records.Count;
    }
}
