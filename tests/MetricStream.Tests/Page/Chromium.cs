using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace MetricStream.Tests.Page;

/// <summary>
/// A real Chromium without a window, steered over its DevTools protocol: a web socket, JSON both ways. Nothing else is needed for what the
/// tests ask of it.
/// </summary>
internal sealed partial class Chromium : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _profile = Directory.CreateTempSubdirectory("metricstream-chromium-").FullName;
    private readonly Process _process;
    private readonly ClientWebSocket _socket = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _calls = new();
    private readonly ConcurrentDictionary<string, BrowserTab> _tabs = new();
    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _sending = new(1);
    private Task _reading = Task.CompletedTask;
    private Task _draining = Task.CompletedTask;
    private int _lastCall;

    private Chromium(string executable)
    {
        // --no-sandbox: containers often run tests as root, which Chromium's sandbox refuses.
        var start = new ProcessStartInfo(executable, [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--remote-debugging-port=0", $"--user-data-dir={_profile}", "about:blank"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        _process = Process.Start(start)!;
    }

    /// <summary>Where it is on this machine; null when it is not.</summary>
    public static string? Executable => new[] { Environment.GetEnvironmentVariable("CHROMIUM"), "/usr/bin/chromium" }
        .FirstOrDefault(path => !string.IsNullOrEmpty(path) && File.Exists(path));

    public static async Task<Chromium> StartAsync()
    {
        var browser = new Chromium(Executable!);
        try
        {
            using var limit = new CancellationTokenSource(Patience);
            var printed = new StringBuilder();
            while (true)
            {
                var line = await browser._process.StandardError.ReadLineAsync(limit.Token)
                    ?? throw new InvalidOperationException($"Chromium ended before it listened: {printed}");
                printed.AppendLine(line);
                if (Listening().Match(line) is { Success: true } found)
                {
                    await browser._socket.ConnectAsync(new Uri(found.Groups[1].Value), limit.Token);
                    break;
                }
            }

            // Read on, or the pipes would fill up and hold it.
            browser._draining = Task.WhenAll(browser._process.StandardError.ReadToEndAsync(), browser._process.StandardOutput.ReadToEndAsync());
            browser._reading = browser.ReadAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a tab of that size, in light or dark.</summary>
    public async Task<BrowserTab> OpenAsync(int width, int height, bool isDark = false)
    {
        var context = await CallAsync("Target.createBrowserContext", []);
        var target = await CallAsync("Target.createTarget", new JsonObject
        {
            ["url"] = "about:blank",
            ["browserContextId"] = (string)context["browserContextId"]!,
        });
        var attached = await CallAsync("Target.attachToTarget", new JsonObject { ["targetId"] = (string)target["targetId"]!, ["flatten"] = true });
        var tab = _tabs.GetOrAdd((string)attached["sessionId"]!, session => new BrowserTab(this, session));
        foreach (var domain in new[] { "Page", "Runtime", "Log", "Network" })
            await tab.CallAsync(domain + ".enable", []);
        await tab.CallAsync("Emulation.setDeviceMetricsOverride", new JsonObject
        {
            ["width"] = width,
            ["height"] = height,
            ["deviceScaleFactor"] = 1,
            ["mobile"] = width < 700,
        });
        await tab.CallAsync("Emulation.setEmulatedMedia", new JsonObject
        {
            ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = isDark ? "dark" : "light" }),
        });
        return tab;
    }

    public async Task<JsonNode> CallAsync(string method, JsonObject parameters, string? session = null)
    {
        var id = Interlocked.Increment(ref _lastCall);
        var answer = _calls.GetOrAdd(id, _ => new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously));
        var call = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        if (session is not null)
            call["sessionId"] = session;
        await _sending.WaitAsync(_end.Token);
        try
        {
            await _socket.SendAsync(Encoding.UTF8.GetBytes(call.ToJsonString()), WebSocketMessageType.Text, true, _end.Token);
        }
        finally
        {
            _sending.Release();
        }

        var told = await answer.Task.WaitAsync(Patience);
        if (told["error"] is { } error)
            throw new InvalidOperationException($"{method}: {error.ToJsonString()}");
        return told["result"]!;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        await _reading;
        await _draining;
        _process.Dispose();
        _socket.Dispose();
        _end.Dispose();
        _sending.Dispose();
        Directory.Delete(_profile, recursive: true);
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[1 << 16];
        using var message = new MemoryStream();
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer.AsMemory(), _end.Token);
                message.Write(buffer, 0, part.Count);
                if (part.MessageType == WebSocketMessageType.Close)
                    return;
                if (!part.EndOfMessage)
                    continue;
                var told = JsonNode.Parse(message.ToArray())!;
                message.SetLength(0);
                if (told["id"] is { } id && _calls.TryRemove((int)id, out var call))
                    call.SetResult(told);
                else if (told["sessionId"] is { } session && _tabs.TryGetValue((string)session!, out var tab))
                    tab.Hear((string)told["method"]!, told["params"]!);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or WebSocketException)
        {
            foreach (var call in _calls.Values)
                call.TrySetException(new InvalidOperationException("Chromium is gone.", ended));
        }
    }

    [GeneratedRegex("DevTools listening on (ws://.+)")]
    private static partial Regex Listening();
}

/// <summary>One tab: a page at a time, and what it complained about.</summary>
internal sealed class BrowserTab(Chromium browser, string session)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ConcurrentQueue<string> _complaints = new();
    private TaskCompletionSource _loaded = new();
    private long _bytes;

    /// <summary>Errors and warnings in the console, exceptions, requests that failed.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    /// <summary>Bytes of bodies since the tab was opened, as they came over the wire.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public Task<JsonNode> CallAsync(string method, JsonObject parameters) => browser.CallAsync(method, parameters, session);

    /// <summary>Goes there and returns when everything the document names is loaded.</summary>
    public async Task GoAsync(Uri address)
    {
        _loaded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await CallAsync("Page.navigate", new JsonObject { ["url"] = address.ToString() });
        await _loaded.Task.WaitAsync(Patience);
    }

    /// <summary>The value of an expression in the page; a promise is awaited.</summary>
    public async Task<JsonElement> AskAsync(string expression)
    {
        var told = await CallAsync("Runtime.evaluate", new JsonObject
        {
            ["expression"] = expression,
            ["awaitPromise"] = true,
            ["returnByValue"] = true,
        });
        if (told["exceptionDetails"] is { } failed)
            throw new InvalidOperationException($"{expression}: {failed.ToJsonString()}");
        return told["result"]!["value"] is { } value ? value.Deserialize<JsonElement>() : default;
    }

    public async Task<string> TextAsync(string selector) =>
        (await AskAsync($"document.querySelector({JsonSerializer.Serialize(selector)})?.innerText ?? ''")).GetString()!;

    /// <summary>Waits until an expression is true; says what <paramref name="state"/> selects when it never is.</summary>
    public async Task UntilAsync(string expression, string state = "body")
    {
        using var poll = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var began = Stopwatch.GetTimestamp();
        while ((await AskAsync(expression)).ValueKind != JsonValueKind.True)
        {
            if (Stopwatch.GetElapsedTime(began) > Patience)
                throw new TimeoutException($"Not true within {Patience.TotalSeconds} s: {expression}. {state}: {await TextAsync(state)}");
            await poll.WaitForNextTickAsync();
        }
    }

    public async Task PressAsync(string key)
    {
        var code = key switch { "ArrowDown" => 40, "ArrowUp" => 38, "Enter" => 13, "Escape" => 27, "Tab" => 9, _ => throw new ArgumentException(key) };
        foreach (var type in new[] { "rawKeyDown", "keyUp" })
            await CallAsync("Input.dispatchKeyEvent", new JsonObject { ["type"] = type, ["key"] = key, ["code"] = key, ["windowsVirtualKeyCode"] = code });
    }

    public Task TypeAsync(string text) => CallAsync("Input.insertText", new JsonObject { ["text"] = text });

    internal void Hear(string method, JsonNode told)
    {
        switch (method)
        {
            case "Page.loadEventFired":
                _loaded.TrySetResult();
                break;
            case "Network.loadingFinished":
                Interlocked.Add(ref _bytes, (long)told["encodedDataLength"]!.GetValue<double>());
                break;
            case "Runtime.exceptionThrown":
                _complaints.Enqueue(told["exceptionDetails"]!.ToJsonString());
                break;
            case "Runtime.consoleAPICalled" when (string)told["type"]! is "error" or "warning" or "assert":
                _complaints.Enqueue(string.Create(CultureInfo.InvariantCulture, $"console: {told["args"]!.ToJsonString()}"));
                break;
            case "Log.entryAdded" when (string)told["entry"]!["level"]! is "error" or "warning":
                _complaints.Enqueue($"{told["entry"]!["text"]} {told["entry"]!["url"]}");
                break;
        }
    }
}
