using System.Runtime.InteropServices;
using System.Text.Json;
using MetricStream.Tests.Intake;
using MetricStream.Tests.Serving;
using Xunit;

namespace MetricStream.Tests.Admission;

/// <summary>Keys and limits that change while the server runs.</summary>
public sealed class AdmissionReloadTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-reload-").FullName;

    private string Keys => Path.Combine(_folder, "keys");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_changed_key_file_is_in_force_without_a_restart_and_a_broken_one_leaves_the_old_keys_and_says_so()
    {
        await File.WriteAllLinesAsync(Keys, KeyedServer.Lines, Cancelled);
        await using var server = await ServedProcess.StartAsync(_folder, ["--api-keys", "keys"]);
        using var stream = await StreamAsync(server, KeyedServer.Reader);

        // 1. A broken file.
        await File.WriteAllTextAsync(Keys, "nothing like a key\n", Cancelled);
        var admission = default(JsonElement);
        await UntilAsync(trouble => trouble.Contains("line 1", StringComparison.Ordinal));
        Assert.Equal(3, admission.GetProperty("keys").GetInt32());
        Assert.Contains("KEYS AND LIMIT IN FORCE ARE OLD", server.Said, StringComparison.Ordinal);
        Assert.Contains("metricstream_admission_stale 1", (await server.GetAsync("/metrics", Reader)).Body, StringComparison.Ordinal);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("X-Api-Key", KeyedServer.Plain))).Status);

        // 2. A good one: a key goes, and one comes.
        await File.WriteAllLinesAsync(Keys, [.. KeyedServer.Lines.Skip(2), "agent-3:" + KeyRingTests.Hash("new")], Cancelled);
        await UntilAsync(trouble => trouble.Length == 0);
        Assert.Equal(401, (await server.PostAsync(IntakeServer.GoodBody, ("X-Api-Key", KeyedServer.Plain))).Status);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("X-Api-Key", "new"))).Status);
        Assert.Contains("metricstream_admission_stale 0", (await server.GetAsync("/metrics", Reader)).Body, StringComparison.Ordinal);

        // 3. A key that goes takes its streams with it; one that stayed did not.
        Assert.False(stream.Ended.IsCompleted);
        await File.WriteAllLinesAsync(Keys, KeyedServer.Lines.Take(3), Cancelled);
        await stream.Ended.WaitAsync(ServedProcess.Patience, Cancelled);

        async Task UntilAsync(Func<string, bool> holds) => await ServedProcess.UntilAsync(
            async () => holds((admission = await server.AdmissionAsync(KeyedServer.Reader)).GetProperty("trouble").GetString() ?? ""),
            () => admission + server.Said);
    }

    [Fact]
    public async Task SIGHUP_reads_keys_at_once_and_a_new_rate_limit_out_of_the_settings()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGHUP.");
        await File.WriteAllLinesAsync(Keys, KeyedServer.Lines, Cancelled);
        await using var server = await ServedProcess.StartAsync(_folder, ["--api-keys", "keys"]);
        await File.WriteAllTextAsync(Path.Combine(_folder, "appsettings.json"), """{"MetricStream":{"RateLimit":2}}""", Cancelled);

        Assert.Equal(0, Kill(server.Id, Hangup));

        var admission = default(JsonElement);
        await ServedProcess.UntilAsync(
            async () => (admission = await server.AdmissionAsync(KeyedServer.Reader)).GetProperty("rate_limit").GetInt32() == 2,
            () => admission + server.Said);
        var statuses = new List<int>();
        for (var i = 0; i < 6; i++)
            statuses.Add((await server.PostAsync(IntakeServer.GoodBody, ("X-Api-Key", KeyedServer.Plain))).Status);
        Assert.Contains(200, statuses);
        Assert.Contains(429, statuses);
    }

    private static (string, string) Reader => ("X-Api-Key", KeyedServer.Reader);

    private const int Hangup = 1;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static async Task<OpenStream> StreamAsync(ServedProcess server, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/stream");
        request.Headers.Add("X-Api-Key", key);
        var answer = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled);
        Assert.Equal(200, (int)answer.StatusCode);
        return new OpenStream(answer);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int process, int signal);

    private sealed class OpenStream : IDisposable
    {
        private readonly HttpResponseMessage _answer;

        public OpenStream(HttpResponseMessage answer) => (_answer, Ended) = (answer, DrainAsync(answer));

        /// <summary>Ends with the stream, however it ends.</summary>
        public Task Ended { get; }

        public void Dispose() => _answer.Dispose();

        private static async Task DrainAsync(HttpResponseMessage answer)
        {
            try
            {
                await using var body = await answer.Content.ReadAsStreamAsync();
                await body.CopyToAsync(Stream.Null);
            }
            catch (Exception cut) when (cut is IOException or HttpRequestException or ObjectDisposedException)
            {
                Assert.NotNull(cut.Message); // A cut stream ends like this.
            }
        }
    }
}
