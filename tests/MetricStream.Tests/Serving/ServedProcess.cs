using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MetricStream.Tests.Intake;
using Xunit;

namespace MetricStream.Tests.Serving;

/// <summary>The program as its user starts it: <c>metricstream serve</c> with some options in a folder of its own, killed at the end.</summary>
internal sealed partial class ServedProcess : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _said = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServedProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Take(line.Data);
        process.ErrorDataReceived += (_, line) => Take(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public static string Executable { get; } =
        Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "MetricStream.exe" : "MetricStream");

    /// <summary>Keeps no cookies: each request carries what it is given.</summary>
    public HttpClient Client { get; } = new(new SocketsHttpHandler { UseCookies = false }) { Timeout = Patience };

    public Uri Address => Client.BaseAddress!;

    public int Id => _process.Id;

    /// <summary>What it wrote to both of its outputs until now.</summary>
    public string Said => string.Join('\n', _said);

    public static async Task<ServedProcess> StartAsync(
        string folder, IEnumerable<string> options, params (string Name, string Value)[] environment)
    {
        var served = Begin(folder, ["serve", "--port", "0", "--data", Path.Combine(folder, "data"), .. options], environment);
        try
        {
            served.Client.BaseAddress = await served._listening.Task.WaitAsync(Patience);
            return served;
        }
        catch (TimeoutException late)
        {
            var said = served.Said;
            await served.DisposeAsync();
            throw new TimeoutException($"It does not listen within {Patience}: {said}", late);
        }
    }

    /// <summary>Runs the program to its end.</summary>
    public static Task<(int ExitCode, string Said)> RunAsync(string folder, params string[] arguments) => RunAsync(folder, [], arguments);

    public static async Task<(int ExitCode, string Said)> RunAsync(
        string folder, (string Name, string Value)[] environment, params string[] arguments)
    {
        await using var served = Begin(folder, arguments, environment);
        using var limit = new CancellationTokenSource(Patience);
        await served._process.WaitForExitAsync(limit.Token);
        return (served._process.ExitCode, served.Said);
    }

    public Task<Answer> PostAsync(string body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/metrics", body, headers);

    public Task<Answer> GetAsync(string path, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Get, path, null, headers);

    public async Task<Answer> SendAsync(HttpMethod method, string path, string? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        // A stream has no end to wait for.
        var text = answer.Content.Headers.ContentType?.MediaType == "text/event-stream"
            ? "" : await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new Answer((int)answer.StatusCode, text, answer.Content.Headers.ContentType?.MediaType, answer.Headers);
    }

    /// <summary>Waits until what is asked for holds; says what was seen when it never does.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds, Func<string> seen)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var began = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(began) > Patience)
                throw new TimeoutException($"Not so within {Patience}: {seen()}");
            await timer.WaitForNextTickAsync();
        }
    }

    public async Task<JsonElement> AdmissionAsync(string key) =>
        (await GetAsync("/api/stats", ("X-Api-Key", key))).Json.GetProperty("admission");

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Client.Dispose();
    }

    private static ServedProcess Begin(string folder, IEnumerable<string> arguments, (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Executable, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return new ServedProcess(Process.Start(start)!);
    }

    private void Take(string? line)
    {
        if (line is null)
            return;
        _said.Enqueue(line);
        if (Listening().Match(line) is { Success: true } found)
            _listening.TrySetResult(new Uri(found.Groups[1].Value));
    }

    [GeneratedRegex("is listening on (https?://[^ ]+)")]
    private static partial Regex Listening();
}
