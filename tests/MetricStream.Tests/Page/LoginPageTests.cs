using MetricStream.Tests.Admission;
using MetricStream.Tests.Intake;
using MetricStream.Tests.Serving;
using Xunit;

namespace MetricStream.Tests.Page;

/// <summary>The page of a server that asks for keys, in a real Chromium.</summary>
public sealed class LoginPageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-login-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task It_asks_for_a_key_shows_everything_with_one_that_reads_and_nothing_after_logging_out()
    {
        Assert.SkipUnless(Chromium.Executable is not null, "There is no Chromium here: install it as /usr/bin/chromium, or name one in CHROMIUM.");
        await File.WriteAllLinesAsync(Path.Combine(_folder, "keys"), KeyedServer.Lines, TestContext.Current.CancellationToken);
        await using var server = await ServedProcess.StartAsync(_folder, ["--api-keys", "keys"]);
        await using var browser = await Chromium.StartAsync();
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody, ("X-Api-Key", KeyedServer.Plain))).Status);

        // 1. Nothing is shown, and the key's field has the focus.
        var tab = await browser.OpenAsync(390, 800, isDark: true);
        await tab.GoAsync(new Uri(server.Address, "/#cpu"));
        await tab.UntilAsync("document.activeElement.id === 'login-key'");
        Assert.Equal("–", await tab.TextAsync("#law-stored"));
        Assert.InRange((await tab.AskAsync("document.documentElement.scrollWidth")).GetInt32(), 1, 390);

        // 2. A key that may not read is told so.
        await tab.TypeAsync(KeyedServer.Plain);
        await tab.AskAsync("document.querySelector('#login button').click()");
        await tab.UntilAsync("document.getElementById('login-say').textContent.includes('not the role read')", "#login");

        // 3. One that may shows the numbers and the stream; no script sees it.
        await tab.AskAsync("document.getElementById('login-key').select()");
        await tab.TypeAsync(KeyedServer.Reader);
        await tab.AskAsync("document.querySelector('#login button').click()");
        await tab.UntilAsync("!document.getElementById('login').open && document.getElementById('law-stored').textContent === '1'");
        await tab.UntilAsync("document.querySelectorAll('#live tr').length === 1", "#live-scroll");
        Assert.Equal(200, (await server.PostAsync(
            """{"metrics":[{"name":"cpu","value":77,"type":"gauge","tags":{"host":"web-1"}}]}""", ("X-Api-Key", KeyedServer.Plain))).Status);
        await tab.UntilAsync("document.querySelector('#live td')?.textContent === '77'", "#live-scroll");
        Assert.Equal("", (await tab.AskAsync("document.cookie + document.getElementById('login-key').value")).GetString());

        // 4. The next visit needs no key, until somebody logs out.
        await tab.GoAsync(server.Address);
        await tab.UntilAsync("document.getElementById('law-stored').textContent === '2'");
        await tab.AskAsync("document.getElementById('logout').click()");
        await tab.UntilAsync("document.getElementById('login')?.open && document.getElementById('law-stored').textContent === '–'");
        Assert.DoesNotContain(tab.Complaints, complaint => !complaint.Contains("40", StringComparison.Ordinal));
    }
}
