using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace MetricStream.Tests.Page;

/// <summary>The live page in a real Chromium, against the real server.</summary>
public sealed partial class LivePageTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-page-").FullName;
    private readonly HttpClient _client = new();
    private Process? _server;
    private Task _draining = Task.CompletedTask;
    private Chromium? _browser;

    private Chromium Browser => _browser!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Chromium.Executable is not null, "There is no Chromium here: install it as /usr/bin/chromium, or name one in CHROMIUM.");
        try
        {
            await StartServerAsync();
            _browser = await Chromium.StartAsync();
        }
        catch
        {
            await DisposeAsync(); // Nobody else would end the server.
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        if (_server is not null)
        {
            if (!_server.HasExited)
                _server.Kill();
            await _server.WaitForExitAsync();
            await _draining;
            _server.Dispose();
        }

        _client.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task It_loads_within_a_second_and_250_KB_without_an_error_and_shows_what_the_server_says()
    {
        for (var i = 0; i < 7; i++)
            await PostAsync("agent-1", """{"metrics":[{"name":"cpu","type":"gauge","value":1}]}""");
        await PostAsync("agent-2", """{"metrics":[]}""");
        var fastest = double.MaxValue;
        var tab = await Browser.OpenAsync(1280, 900);
        for (var load = 0; load < 5; load++)
        {
            await tab.GoAsync(_client.BaseAddress!);
            fastest = Math.Min(fastest, (await tab.AskAsync("performance.getEntriesByType('navigation')[0].loadEventStart")).GetDouble());
            Assert.InRange(tab.Bytes, 1, 250_000);
        }

        await tab.UntilAsync("document.getElementById('law-stored').textContent === '7'");
        await tab.UntilAsync("document.querySelectorAll('#clients tr').length === 2");

        Assert.InRange(fastest, 0, 1000);
        Assert.Equal("0", await tab.TextAsync("#missing"));
        Assert.Equal("7", await tab.TextAsync("#law-acknowledged"));
        Assert.Contains(await tab.TextAsync("#state-word"), new[] { "Ready", "Taking batches" });
        Assert.Equal("file", await tab.TextAsync("#modes [aria-current]"));
        Assert.Contains("no valid batch", await tab.TextAsync("#clients tr:last-child"), StringComparison.Ordinal);
        await tab.UntilAsync("document.querySelectorAll('#flow-chart canvas').length === 1 || !window.uPlot");
        Assert.Empty(tab.Complaints);
    }

    [Fact]
    public async Task A_metric_is_found_among_ten_thousand_by_keyboard_and_watched_as_it_arrives()
    {
        for (var from = 0; from < 10_000; from += 1000)
        {
            var metrics = Enumerable.Range(from, 1000).Select(i => string.Create(
                CultureInfo.InvariantCulture, $$"""{"name":"sensor_{{i:D5}}","type":"gauge","value":{{i}},"tags":{"room":"a"} }"""));
            await PostAsync("bulk", $$"""{"metrics":[{{string.Join(',', metrics)}}]}""");
        }

        var tab = await Browser.OpenAsync(1280, 900);
        await tab.GoAsync(_client.BaseAddress!);
        await tab.UntilAsync("document.getElementById('law-stored').textContent === '10'");
        await tab.AskAsync("document.getElementById('pick').focus()");
        await tab.UntilAsync("document.getElementById('names-note').textContent.startsWith('30 of 10,000')", "#names");
        await tab.TypeAsync("SENSOR_0420");
        await tab.UntilAsync("document.querySelectorAll('#names-list li').length === 10", "#names");
        await tab.PressAsync("ArrowDown");
        await tab.PressAsync("ArrowDown");
        await tab.PressAsync("Enter");
        Assert.Equal("sensor_04201", (await tab.AskAsync("document.getElementById('pick').value")).GetString());
        await tab.UntilAsync("document.querySelector('#live td')?.textContent === '4,201'", "#live-scroll");

        await PostAsync("bulk", """{"metrics":[{"name":"sensor_04201","type":"gauge","value":-17.5,"tags":{"room":"a"}},{"name":"sensor_04201","type":"gauge","value":8}]}""");

        await tab.UntilAsync("[...document.querySelectorAll('#live tr')].map(r => r.cells[1].textContent).join() === '8,-17.5'", "#live-scroll");
        Assert.Empty(tab.Complaints);
    }

    [Fact]
    public async Task What_a_client_named_is_shown_as_text()
    {
        const string Name = "<img src=x onerror=alert(1)>&amp;\\\"";
        await PostAsync("agent", "{\"metrics\":[{\"name\":\"" + Name + "\",\"type\":\"gauge\",\"value\":1,\"tags\":{\"<b>\":\"</td><script>1\"}}]}");
        var tab = await Browser.OpenAsync(1280, 900);
        await tab.GoAsync(_client.BaseAddress!);
        await tab.UntilAsync("document.getElementById('law-stored').textContent === '1'");
        await tab.AskAsync("document.getElementById('pick').focus()");
        await tab.UntilAsync("document.querySelectorAll('#names-list li').length === 1", "#names");
        await tab.PressAsync("ArrowDown");
        await tab.PressAsync("Enter");
        await tab.UntilAsync("document.querySelectorAll('#live tr').length === 1", "#live-scroll");

        Assert.Equal("<b>=</td><script>1", (await tab.TextAsync("#live th")).Trim());
        Assert.StartsWith("<img src=x onerror=alert(1)>&amp;\"", await tab.TextAsync("#live-hint"), StringComparison.Ordinal);
        Assert.Empty(tab.Complaints);
    }

    [Fact]
    public async Task A_server_that_is_gone_is_said_at_once_and_its_last_numbers_are_not_taken_for_new()
    {
        var tab = await Browser.OpenAsync(1280, 900);
        await tab.GoAsync(_client.BaseAddress!);
        await tab.UntilAsync("document.getElementById('missing').textContent === '0'");

        _server!.Kill();

        await tab.UntilAsync("document.getElementById('state-word').textContent === 'No answer'", "#state");
        Assert.Equal("disconnected", await tab.TextAsync("#link"));
        Assert.Contains("What stands below is from", await tab.TextAsync("#state-say"), StringComparison.Ordinal);
        Assert.Equal("bad", (await tab.AskAsync("document.getElementById('state').dataset.level")).GetString());
    }

    [Theory]
    [InlineData(1280, false)]
    [InlineData(1280, true)]
    [InlineData(390, false)]
    [InlineData(320, true)]
    public async Task It_fits_the_screen_is_readable_and_can_be_used_without_a_mouse_and_without_eyes(int width, bool isDark)
    {
        await PostAsync("agent-with-a-long-name.in-a-far-away-region.example", """{"metrics":[{"name":"cpu","type":"gauge","value":1,"tags":{"host":"web-1.a-long-name.example","zone":"b"}}]}""");
        await PostAsync("agent", "{}");
        var tab = await Browser.OpenAsync(width, 800, isDark);
        await tab.GoAsync(new Uri(_client.BaseAddress!, "/#cpu"));
        await tab.UntilAsync("document.querySelectorAll('#live tr').length === 1 && document.querySelectorAll('#clients tr').length === 2");

        Assert.InRange((await tab.AskAsync("document.documentElement.scrollWidth")).GetInt32(), 1, width);
        var pale = await tab.AskAsync(PaleText);
        Assert.True(pale.GetArrayLength() == 0, $"Contrast below 4.5: {pale}");
        var unnamed = await tab.AskAsync("""
            [...document.querySelectorAll('input, [role=img], [role=region], section, nav, ol, [role=listbox]')]
              .filter(e => !(e.labels?.length || e.ariaLabel || (e.getAttribute('aria-labelledby') ?? '').split(' ').every(id => document.getElementById(id)) && e.getAttribute('aria-labelledby')))
              .map(e => e.outerHTML.slice(0, 80))
            """);
        Assert.True(unnamed.GetArrayLength() == 0, $"Without a name: {unnamed}");
        Assert.Equal("1,1,1,1", (await tab.AskAsync("['h1', 'main', 'body > header', 'footer nav'].map(s => document.querySelectorAll(s).length).join()")).GetString());
        Assert.Equal(0, (await tab.AskAsync("document.querySelectorAll('th:not([scope])').length")).GetInt32());
        // Every stop of the Tab key is seen to have the focus.
        var stops = new HashSet<string>();
        for (var i = 0; i < 12; i++)
        {
            await tab.PressAsync("Tab");
            var focus = await tab.AskAsync("(e => [e === document.body ? '' : e.id || e.className || e.textContent, getComputedStyle(e).outlineStyle])(document.activeElement)");
            stops.Add(focus[0].GetString()!);
            if (focus[0].GetString() != "")
                Assert.Equal("solid", focus[1].GetString());
        }

        Assert.Superset(new HashSet<string> { "skip", "pick", "live-scroll", "clients-scroll", "/api/stats" }, stops);
        Assert.Empty(tab.Complaints);
    }

    /// <summary>Texts whose contrast with what is painted behind them is below 4.5, as WCAG 2 computes it.</summary>
    private const string PaleText = """
        (() => {
          const parse = c => (c.match(/[\d.]+/g) ?? []).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
          const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
          return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).flatMap(e => {
            const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
            const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            return contrast < 4.5 ? [`${e.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`] : [];
          });
        })()
        """;

    private async Task StartServerAsync()
    {
        var executable = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "MetricStream.exe" : "MetricStream");
        _server = Process.Start(new ProcessStartInfo(executable, ["serve", "--port", "0", "--data", _folder]) { RedirectStandardOutput = true })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (_client.BaseAddress is null)
        {
            var line = await _server.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The server ended.");
            if (Listening().Match(line) is { Success: true } found)
                _client.BaseAddress = new Uri(found.Groups[1].Value);
        }

        _draining = _server.StandardOutput.ReadToEndAsync(CancellationToken.None); // Else the pipe would fill up and hold it.
    }

    private async Task PostAsync(string client, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/metrics") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Add("X-Client-Id", client);
        using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    [GeneratedRegex("listening on (http://[0-9.:]+)")]
    private static partial Regex Listening();
}
