using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MetricStream.Load;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace MetricStream.Tests.Load;

public sealed class LoadCommandTests
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_good_server_gets_every_request_once_over_one_connection_a_client_and_the_tool_says_so()
    {
        await using var server = await MisbehavingServer.StartAsync();
        var (exit, output, errors) = await RunAsync(server, "--clients 4 --requests 25 --metrics 5 --verify");
        Assert.Equal((0, ""), (exit, errors));
        Assert.Equal(100, server.Posts);
        Assert.Equal(4, server.Connections);
        Assert.Contains("100 %  (100 of 100)", output, StringComparison.Ordinal);
        Assert.Contains("200: 100", output, StringComparison.Ordinal);
        Assert.Contains("100 of 100 acknowledged stored exactly once", output, StringComparison.Ordinal);
        Assert.Contains("missing 0", output, StringComparison.Ordinal);
        Assert.All(server.Stored.Values, list => Assert.Equal(25, list.Select(batch => batch.Id).Distinct().Count()));
        using var first = JsonDocument.Parse(server.Stored.Values.First()[0].Metrics);
        Assert.Equal(5, first.RootElement.GetArrayLength());
    }

    [Theory]
    [InlineData(500, "500: 3", "3 without an answer, 0 of them stored")]
    [InlineData(503, "503: 3", "3 without an answer, 0 of them stored")]
    [InlineData(422, "422: 3", "3, none of them stored: yes")]
    public async Task An_error_status_fails_the_run_and_is_counted_with_what_the_server_said(int status, string counted, string verified)
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.OnPost = async (post, context) =>
        {
            if (post > 3) return false;
            context.Response.StatusCode = status;
            await context.Response.WriteAsync("the disk of the test is full");
            return true;
        };
        var (exit, output, _) = await RunAsync(server, "--clients 1 --requests 10 --verify");
        Assert.Equal(1, exit);
        Assert.Contains(counted, output, StringComparison.Ordinal);
        Assert.Contains("the disk of the test is full", output, StringComparison.Ordinal);
        Assert.Contains(verified, output, StringComparison.Ordinal);
        Assert.Contains("7 of 7 acknowledged stored exactly once", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reset_costs_its_request_and_the_client_connects_again()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.OnPost = (post, context) => post == 5 ? MisbehavingServer.ResetAsync(context) : Task.FromResult(false);
        var (exit, output, _) = await RunAsync(server, "--clients 1 --requests 10 --verify");
        Assert.Equal(1, exit);
        Assert.Contains("reset: 1", output, StringComparison.Ordinal);
        Assert.Contains("90 %  (9 of 10)", output, StringComparison.Ordinal);
        Assert.Equal(2, server.Connections);
    }

    [Fact]
    public async Task A_batch_that_was_stored_but_whose_answer_was_lost_is_no_anomaly()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.OnPost = (post, context) =>
        {
            if (post != 3) return Task.FromResult(false);
            var template = new BatchTemplate(new(server.Url, null, null, TimeSpan.FromSeconds(5)), RunIdOf(context), 0, 3);
            var metrics = Encoding.UTF8.GetString(template.Metrics(2));
            server.Store(context, Encoding.UTF8.GetBytes($$"""{"metrics":{{metrics}}}"""));
            return MisbehavingServer.ResetAsync(context);
        };
        var (exit, output, _) = await RunAsync(server, "--clients 1 --requests 5 --verify");
        Assert.Equal(1, exit);
        Assert.Contains("1 without an answer, 1 of them stored", output, StringComparison.Ordinal);
        Assert.Contains("anomalies      none", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_does_not_come_is_a_timeout_and_the_run_goes_on()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.OnPost = async (post, context) =>
        {
            if (post != 2) return false;
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return true;
        };
        var (exit, output, _) = await RunAsync(server, "--clients 1 --requests 4 --timeout 3s");
        Assert.Equal(1, exit);
        Assert.Contains("timeout: 1", output, StringComparison.Ordinal);
        Assert.Contains("no answer within 3s", output, StringComparison.Ordinal);
        Assert.Contains("200: 3", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_batch_is_named() => await ExpectAnomalyAsync(
        server => server.BendList = list => list.FindAll(batch => !batch.Id.EndsWith("-0000000003", StringComparison.Ordinal)),
        "missing: 1", "-0000000003 of client load-");

    [Fact]
    public async Task A_doubled_batch_is_named() => await ExpectAnomalyAsync(
        server => server.BendList = list => list.Count < 5 ? list : [.. list[..3], list[2], .. list[3..]],
        "doubled: 1", "-0000000002 of client load-");

    [Fact]
    public async Task An_altered_batch_is_named() => await ExpectAnomalyAsync(
        server => server.BendList = list => list.Count < 5 ? list : [.. list[..4], (list[4].Id, list[4].Metrics.Replace('1', '2'))],
        "altered: 1", "-0000000004 of client load-");

    [Fact]
    public async Task A_batch_that_nobody_sent_is_named() => await ExpectAnomalyAsync(
        server => server.BendList = list => list.Count < 5 ? list : [.. list, ("somebody-else", "[]")],
        "uninvited: 1", "'somebody-else'");

    [Fact]
    public async Task A_refused_batch_that_is_stored_is_named()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.OnPost = (post, context) =>
        {
            if (post == 2) context.Response.OnStarting(() => Task.FromResult(context.Response.StatusCode = 422));
            return Task.FromResult(false);
        };
        var (exit, output, _) = await RunAsync(server, "--clients 1 --requests 5 --verify");
        Assert.Equal(1, exit);
        Assert.Contains("is stored, but was refused", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Counters_that_do_not_add_up_are_named() => await ExpectAnomalyAsync(
        server => server.AcknowledgedTooMany = 2, "miscounted: 1", "missing 2", "--verify-timeout 300ms");

    [Fact]
    public async Task What_other_servers_of_the_group_store_is_not_missing()
    {
        await using var server = await MisbehavingServer.StartAsync();
        (server.AcknowledgedTooMany, server.HandedOver) = (2, 2);

        var (exit, output, _) = await RunAsync(server, "--clients 2 --requests 5 --verify --verify-timeout 300ms");

        Assert.True(exit == 0, output);
    }

    [Fact]
    public async Task At_most_ten_anomalies_are_named()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.BendList = _ => [];
        var (exit, output, _) = await RunAsync(server, "--clients 1 --requests 30 --verify");
        Assert.Equal(1, exit);
        Assert.Contains("missing: 30", output, StringComparison.Ordinal);
        Assert.Equal(10, output.Split('\n').Count(line => line.Contains("missing: batch", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Verification_waits_for_the_queue_to_empty()
    {
        await using var server = await MisbehavingServer.StartAsync();
        foreach (var queued in new[] { 0, 9, 5, 0 }) server.Queued.Enqueue(queued);
        Assert.Equal(0, (await RunAsync(server, "--clients 1 --requests 5 --verify")).Exit);
        Assert.Single(server.Queued);
    }

    [Fact]
    public async Task A_queue_that_does_not_empty_cannot_be_verified_and_the_numbers_are_still_printed()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.Queued.Enqueue(7);
        var (exit, output, errors) = await RunAsync(server, "--clients 1 --requests 5 --verify --verify-timeout 200ms");
        Assert.Equal(2, exit);
        Assert.Contains("did not empty within 200ms: queued 7", errors, StringComparison.Ordinal);
        Assert.Contains("200: 5", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_a_store_is_found_out_before_the_load()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.HasStore = false;
        var (exit, _, errors) = await RunAsync(server, "--verify");
        Assert.Equal(2, exit);
        Assert.Contains("answered 404: the server has no store", errors, StringComparison.Ordinal);
        Assert.Equal(0, server.Posts);
    }

    [Fact]
    public async Task Without_a_server_the_tool_says_where_it_looked()
    {
        using var unused = new TcpListener(IPAddress.Loopback, 0);
        unused.Start();
        var port = ((IPEndPoint)unused.LocalEndpoint).Port;
        unused.Stop();
        var (exit, _, errors) = await RunAsync($"load http://127.0.0.1:{port}");
        Assert.Equal(2, exit);
        Assert.Contains($"No connection to http://127.0.0.1:{port}/", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_open_loop_counts_the_wait_for_a_busy_server_into_the_latency()
    {
        await using var server = await MisbehavingServer.StartAsync();
        server.OnPost = async (post, context) =>
        {
            if (post == 1) await Task.Delay(400, context.RequestAborted);
            return false;
        };
        // One connection, stalled once for 400 ms: a closed loop would show one slow request, here some twenty more were due meanwhile.
        var file = Path.GetTempFileName();
        var (exit, _, _) = await RunAsync(server, $"--clients 1 --rate 50 --duration 1s --json {file}");
        Assert.Equal(0, exit);
        using var json = JsonDocument.Parse(await File.ReadAllBytesAsync(file, Ended));
        File.Delete(file);
        var result = json.RootElement.GetProperty("result");
        Assert.Equal(1, json.RootElement.GetProperty("schemaVersion").GetInt32());
        Assert.Equal("open", result.GetProperty("loop").GetString());
        Assert.Equal(50, result.GetProperty("requests").GetInt32() + result.GetProperty("never_sent").GetInt32());
        Assert.InRange(result.GetProperty("latency_ms").GetProperty("mean").GetDouble(), 50, 400);
        Assert.InRange(result.GetProperty("latency_ms").GetProperty("p90").GetDouble(), 250, 2000);
    }

    [Fact]
    public async Task The_search_prints_each_step_and_ends_below_the_rate_that_breaks()
    {
        await using var server = await MisbehavingServer.StartAsync();
        // Two connections and 10 ms an answer: no more than 200 a second whatever the machine does.
        server.OnPost = async (_, context) =>
        {
            await Task.Delay(10, context.RequestAborted);
            return false;
        };
        var (exit, output, errors) = await RunAsync(server, "--clients 2 --find-max --rate 100 --step 300ms --p99 200ms --verify");
        Assert.Equal((0, ""), (exit, errors));
        Assert.Contains("100/s", output, StringComparison.Ordinal);
        Assert.Contains("over 200 ms", output, StringComparison.Ordinal);
        Assert.Contains("held, of", output, StringComparison.Ordinal);
        Assert.Contains("missing 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupted_it_prints_what_was_measured_and_exits_130()
    {
        await using var server = await MisbehavingServer.StartAsync();
        using var interrupt = new CancellationTokenSource();
        server.OnPost = async (post, _) =>
        {
            if (post == 20) await interrupt.CancelAsync();
            return false;
        };
        var (exit, output, _) = await RunAsync($"load {server.Url} --clients 1 --requests 1000000 --verify", interrupt.Token);
        Assert.Equal(130, exit);
        Assert.Contains("interrupted: this is what was measured so far", output, StringComparison.Ordinal);
        Assert.Contains("of 19)", output.Replace("of 20)", "of 19)", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense", "is no server address")]
    [InlineData("ftp://host", "is no server address")]
    [InlineData("http://127.0.0.1:1/?a=b", "more than an address")]
    [InlineData("http://127.0.0.1:1 --clients 0", "--clients 0 is out of range")]
    [InlineData("http://127.0.0.1:1 --requests 0", "--requests 0 is out of range")]
    [InlineData("http://127.0.0.1:1 --metrics 10001", "--metrics 10001 is out of range: 1 to 10000")]
    [InlineData("http://127.0.0.1:1 --rate 5", "--rate needs --duration")]
    [InlineData("http://127.0.0.1:1 --rate 0 --duration 1s", "--rate 0 is out of range")]
    [InlineData("http://127.0.0.1:1 --rate 5 --duration 0s", "--duration 0s")]
    [InlineData("http://127.0.0.1:1 --rate 5 --duration 1s --requests 3", "--requests and --rate contradict")]
    [InlineData("http://127.0.0.1:1 --duration 1s --requests 3", "--requests and --duration contradict")]
    [InlineData("http://127.0.0.1:1 --find-max --duration 1s", "leave out --duration")]
    [InlineData("http://127.0.0.1:1 --find-max --step 1ms", "--step 1ms is too short")]
    [InlineData("http://127.0.0.1:1 --find-max --p99 0s", "--p99 0s cannot be held")]
    [InlineData("http://127.0.0.1:1 --timeout 0s", "--timeout 0s")]
    [InlineData("http://127.0.0.1:1 --verify --verify-timeout 0s", "--verify-timeout 0s")]
    [InlineData("http://127.0.0.1:1 --client-id a/b", "--client-id 'a/b' is no client id")]
    [InlineData("http://127.0.0.1:1 --api-key \u00e9", "--api-key is empty or has characters")]
    [InlineData("http://127.0.0.1:1 --json /no/such/folder/x.json", "--json /no/such/folder/x.json cannot be written")]
    public async Task Options_that_cannot_be_run_are_named_with_the_fix(string arguments, string named)
    {
        var (exit, _, errors) = await RunAsync("load " + arguments);
        Assert.Equal(2, exit);
        Assert.Contains(named, errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("load http://127.0.0.1:1 --duration soon", "--duration: 'soon' is no time")]
    public void What_the_parser_refuses_is_named(string line, string named) => Assert.Contains(
        LoadCommand.Create(TextWriter.Null, TextWriter.Null, false).Parse(line["load".Length..]).Errors,
        error => error.Message.Contains(named, StringComparison.Ordinal));

    private static string RunIdOf(HttpContext context) => context.Request.Headers["X-Client-Id"].ToString().Split('-')[1];

    private static async Task ExpectAnomalyAsync(Action<MisbehavingServer> misbehave, string counted, string named, string more = "")
    {
        await using var server = await MisbehavingServer.StartAsync();
        misbehave(server);
        var (exit, output, _) = await RunAsync(server, "--clients 2 --requests 5 --verify " + more);
        Assert.Equal(1, exit);
        // Both clients' lists are bent the same way, the counters once.
        var isCounter = counted.StartsWith("miscounted", StringComparison.Ordinal);
        Assert.Contains(isCounter ? counted : counted.Replace(": 1", ": 2", StringComparison.Ordinal), output, StringComparison.Ordinal);
        Assert.Contains(named, output, StringComparison.Ordinal);
    }

    private static Task<(int Exit, string Output, string Errors)> RunAsync(MisbehavingServer server, string options) =>
        RunAsync($"load {server.Url} {options}");

    private static async Task<(int Exit, string Output, string Errors)> RunAsync(string line, CancellationToken? cancellation = null)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var parsed = LoadCommand.Create(TextWriter.Synchronized(output), errors, isTerminal: false).Parse(line["load".Length..]);
        Assert.Empty(parsed.Errors);
        var exit = await parsed.InvokeAsync(null, cancellation ?? Ended);
        return (exit, output.ToString(), errors.ToString());
    }
}
