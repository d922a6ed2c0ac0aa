using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MetricStream.Kafka;
using MetricStream.Serving;
using MetricStream.Tests.Intake;
using Xunit;

namespace MetricStream.Tests.Kafka;

/// <summary>A whole server with its queue in Kafka, on a free port, in this process; its data directory outlives it.</summary>
internal sealed class KafkaServerRun : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task<int> _running;

    private KafkaServerRun(ServeSettings settings)
    {
        _running = Task.Run(() => KafkaServer.RunAsync(settings, settings.Kafka!, _stop.Token));
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{settings.Port}"), Timeout = Deadline };
    }

    public HttpClient Client { get; }

    public static async Task<KafkaServerRun> StartAsync(ServeSettings settings)
    {
        var run = new KafkaServerRun(settings with { Port = FreePort() });
        await UntilAsync(async () => await run.IsUpAsync(), () => "the server does not listen");
        return run;
    }

    public async Task<Answer> PostAsync(string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/metrics")
        {
            Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
        };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        return new Answer(
            (int)response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            response.Content.Headers.ContentType?.MediaType, response.Headers);
    }

    public Task<JsonElement> StatsAsync() => JsonAsync("/api/stats");

    public async Task<JsonElement> JsonAsync(string path)
    {
        var text = await Client.GetStringAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    public async Task<int> ReadyAsync()
    {
        using var answer = await Client.GetAsync(new Uri("/health/ready", UriKind.Relative), TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }

    /// <summary>Waits until the numbers are as wanted, and throws with those seen at the deadline.</summary>
    public async Task<JsonElement> UntilStatsAsync(Func<JsonElement, bool> wanted)
    {
        var seen = default(JsonElement);
        await UntilAsync(async () => wanted(seen = await StatsAsync()), () => seen.ToString());
        return seen;
    }

    public async Task<int> StopAsync()
    {
        await _stop.CancelAsync();
        return await _running.WaitAsync(Deadline);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Client.Dispose();
        _stop.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> IsUpAsync()
    {
        if (_running.IsCompleted)
            await _running;
        try
        {
            return await Client.GetStringAsync(new Uri("/health/live", UriKind.Relative)) == "ok";
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> holds, Func<string> state)
    {
        using var timer = new PeriodicTimer(Look);
        using var deadline = new CancellationTokenSource(Deadline);
        while (!await holds())
        {
            if (deadline.IsCancellationRequested)
                throw new TimeoutException($"Not so within {Deadline}: {state()}");
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}
