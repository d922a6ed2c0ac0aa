using System.Net;
using MetricStream.Page;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace MetricStream.Tests.Page;

public sealed class PageEndpointsTests : IAsyncLifetime
{
    private readonly HttpClient _client = new();
    private WebApplication? _server;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _server = builder.Build();
        PageEndpoints.Map(_server);
        await _server.StartAsync(TestContext.Current.CancellationToken);
        _client.BaseAddress = new Uri(_server.Urls.Single());
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
    }

    [Fact]
    public async Task The_page_and_what_it_asks_for_are_served_with_what_keeps_strangers_scripts_out()
    {
        var document = await GetAsync("/");
        var files = References(document.Text).ToList();
        var total = document.Text.Length;
        foreach (var file in files)
            total += (await GetAsync(file)).Text.Length;

        Assert.Contains("/page/page.js", files);
        Assert.Equal(PageEndpoints.HasCharts, files.Contains("/page/uPlot.js"));
        Assert.InRange(total, 10_000, 250_000);
        Assert.DoesNotMatch("(?i)<script(?![^>]*src=)|<style|style=| on[a-z]+=", document.Text);
        Assert.DoesNotContain("https://", document.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_did_not_change_is_not_sent_again()
    {
        var tag = (await GetAsync("/page/page.js")).Answer.Headers.ETag!.Tag;
        using var request = new HttpRequestMessage(HttpMethod.Get, "/page/page.js");
        request.Headers.TryAddWithoutValidation("If-None-Match", tag);

        using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotModified, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    private static IEnumerable<string> References(string document) =>
        System.Text.RegularExpressions.Regex.Matches(document, "(?:src|href)=\"(/page/[^\"]+)\"").Select(match => match.Groups[1].Value);

    private async Task<(HttpResponseMessage Answer, string Text)> GetAsync(string path)
    {
        var answer = await _client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("script-src 'self';", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("form-action 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("base-uri 'none'", policy, StringComparison.Ordinal);
        foreach (var (name, value) in new[]
        {
            ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        })
        {
            Assert.Equal([value], answer.Headers.GetValues(name));
        }
        return (answer, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
