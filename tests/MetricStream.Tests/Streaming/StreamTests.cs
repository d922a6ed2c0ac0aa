using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using MetricStream.Streaming;
using Xunit;

namespace MetricStream.Tests.Streaming;

public sealed class StreamTests
{
    [Fact]
    public async Task A_subscriber_gets_what_is_acknowledged_after_it_came_and_nothing_else()
    {
        await using var server = await StreamServer.StartAsync();
        await server.PostAsync("cpu", 1, 10);
        using var all = await server.SubscribeAsync();
        using var cpu = await server.SubscribeAsync("?name=cpu");
        var sequence = await server.PostAsync("""
            {"metrics":[{"name":"cpu","type":"gauge","value":0.5,"timestamp":20,"tags":{"zone":"b","host":"web-\"1\""}},
            {"name":"m\u0065mory","type":"gauge","value":1e300}],"batch_timestamp":30}
            """);

        var one = await cpu.NextAsync();
        var both = await all.UntilAsync(2);

        Assert.Equal("text/event-stream", all.Response.Content.Headers.ContentType?.ToString());
        Assert.Equal("no-store", all.Response.Headers.CacheControl?.ToString());
        Assert.Equal((sequence.ToString(CultureInfo.InvariantCulture), "cpu", 0L), (one!.Id, one.Name, one.Dropped));
        Assert.Equal("""{"host":"web-\"1\"","zone":"b"}""", one.Tags);
        Assert.Equal([(20L, 0.5)], one.Points);
        Assert.Equal(["cpu", "memory"], both.Select(e => e.Name));
        Assert.Equal([(30L, 1e300)], both[1].Points);
        // Who is cut off between the two gets both again.
        Assert.Equal([(sequence - 1).ToString(CultureInfo.InvariantCulture), sequence.ToString(CultureInfo.InvariantCulture)], both.Select(e => e.Id));
    }

    [Fact]
    public async Task What_is_no_number_in_json_is_null()
    {
        await using var server = await StreamServer.StartAsync();
        using var all = await server.SubscribeAsync();
        await server.PostAsync("""{"metrics":[{"name":"big","type":"gauge","value":1.7976931348623157e308,"timestamp":1},{"name":"big","type":"gauge","value":-0.0,"timestamp":2}]}""");

        Assert.Equal([(1L, double.MaxValue), (2L, -0.0)], (await all.NextAsync())!.Points);
    }

    [Fact]
    public async Task A_burst_comes_in_at_most_ten_frames_a_second_with_every_point_in_order()
    {
        await using var server = await StreamServer.StartAsync();
        using var cpu = await server.SubscribeAsync("?name=cpu");
        const int Batches = 3000;
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < Batches; i++)
            await server.PostAsync("cpu", i, i);

        var events = await cpu.UntilAsync(Batches);

        var mostFrames = Stopwatch.GetElapsedTime(began).TotalSeconds * 10 + 1;
        Assert.InRange(events.Count, 1, mostFrames);
        Assert.Equal(Enumerable.Range(0, Batches).Select(i => ((long)i, (double?)i)), events.SelectMany(e => e.Points));
        Assert.All(events, e => Assert.Equal(0, e.Dropped));
    }

    [Fact]
    public async Task A_quiet_stream_carries_a_comment_and_the_position_with_it()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions { HeartbeatEvery = TimeSpan.FromMilliseconds(200) });
        using var quiet = await server.SubscribeAsync("?name=quiet");
        var sequence = await server.PostAsync("cpu", 1, 1);

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var lines = new StreamReader(await quiet.Response.Content.ReadAsStreamAsync(deadline.Token));
        var heartbeats = 0;
        for (var id = ""; heartbeats < 3 || id != $"id: {sequence}";)
        {
            var line = await lines.ReadLineAsync(deadline.Token) ?? throw new EndOfStreamException("The stream ended.");
            heartbeats += line == ": heartbeat" ? 1 : 0;
            id = line.StartsWith("id:", StringComparison.Ordinal) ? line : id;
        }
    }

    [Fact]
    public async Task One_subscriber_more_than_there_may_be_is_503_and_a_place_that_was_left_is_taken_again()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions { MaxSubscribers = 2 });
        using var first = await server.SubscribeAsync();
        using (await server.SubscribeAsync())
        using (var third = await server.SubscribeAsync())
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, third.Response.StatusCode);
            Assert.NotNull(third.Response.Headers.RetryAfter);
            Assert.Equal(HttpStatusCode.OK, first.Response.StatusCode);
        }

        await StreamServer.Eventually(() => server.Hub.Subscribers == 1, () => $"{server.Hub.Subscribers} subscribers");
        using var again = await server.SubscribeAsync();
        Assert.Equal(HttpStatusCode.OK, again.Response.StatusCode);
    }

    [Fact]
    public async Task A_name_given_twice_is_422_and_HEAD_has_the_head_alone()
    {
        await using var server = await StreamServer.StartAsync();
        using var twice = await server.SubscribeAsync("?name=a&name=b");
        using var request = new HttpRequestMessage(HttpMethod.Head, "/stream");
        using var head = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, twice.Response.StatusCode);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
        Assert.Equal(0, server.Hub.Subscribers);
    }

    [Fact]
    public async Task A_slow_subscriber_is_told_what_it_missed_and_no_other_misses_anything()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions
        {
            FrameEvery = TimeSpan.FromMilliseconds(5),
            StuckAfter = TimeSpan.FromMinutes(1),
        });
        using var slow = await server.SubscribeAndSleepAsync("?name=cpu");
        using var fast = await server.SubscribeAsync("?name=cpu");
        await StreamServer.Eventually(() => server.Hub.Subscribers == 2, () => $"{server.Hub.Subscribers} subscribers");
        var seen = 0L;
        var missed = 0L;
        var reading = Task.Run(async () =>
        {
            while (await fast.NextAsync() is { } next)
            {
                Interlocked.Add(ref seen, next.Points.Count);
                Interlocked.Add(ref missed, next.Dropped);
            }
        }, TestContext.Current.CancellationToken);
        var posted = 0;
        var total = new TaskCompletionSource<int>();
        var told = Task.FromResult((Points: 0L, Dropped: 0L));
        for (var steps = 0; steps < 10; steps += server.Hub.Dropped > 0 ? 1 : 0)
        {
            posted = await PostManyAsync(server, posted, 100);
            await StreamServer.Eventually(() => Interlocked.Read(ref seen) == posted, () => $"{seen} of {posted} seen");
            if (server.Hub.Dropped > 0 && steps == 0)
                told = ReadAllAsync(slow, total.Task); // It wakes up.
        }

        total.SetResult(posted);
        await StreamServer.Eventually(() => told.IsCompleted, () => $"{posted} posted, {server.Hub.Dropped} dropped");
        server.Hub.Stop();
        await reading;

        var (points, dropped) = await told;
        Assert.True(dropped > 0);
        Assert.Equal(posted, points + dropped);
        Assert.Equal(server.Hub.Dropped, dropped);
        Assert.Equal((posted, 0), (seen, missed));
    }

    [Fact]
    public async Task A_stuck_subscriber_is_cut()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions
        {
            SendBufferBytes = 4096,
            FrameEvery = TimeSpan.FromMilliseconds(5),
            StuckAfter = TimeSpan.FromMilliseconds(300),
        });
        using var stuck = await server.SubscribeAndSleepAsync();
        await StreamServer.Eventually(() => server.Hub.Subscribers == 1, () => $"{server.Hub.Subscribers} subscribers");

        for (var posted = 0; server.Hub.Dropped == 0;)
            posted = await PostManyAsync(server, posted, 100);

        await StreamServer.Eventually(() => server.Hub.Subscribers == 0, () => $"{server.Hub.Subscribers} subscribers");
    }

    [Fact]
    public async Task Beyond_the_points_of_a_frame_the_rest_is_dropped_and_counted()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions { FramePoints = 10 });
        using var cpu = await server.SubscribeAsync("?name=cpu");
        var metrics = string.Join(",", Enumerable.Range(0, 25).Select(i => $$"""{"name":"cpu","type":"gauge","value":{{i}},"timestamp":{{i}}}"""));
        await server.PostAsync($$"""{"metrics":[{{metrics}}]}""");

        var told = await cpu.NextAsync();

        Assert.Equal((10, 15L), (told!.Points.Count, told.Dropped));
        Assert.Equal(15, server.Hub.Dropped);
    }

    [Fact]
    public async Task Stopping_ends_every_stream_in_order()
    {
        await using var server = await StreamServer.StartAsync();
        using var one = await server.SubscribeAsync();
        using var other = await server.SubscribeAsync("?name=cpu");

        server.Hub.Stop();

        Assert.Null(await one.NextAsync());
        Assert.Null(await other.NextAsync());
        using var late = await server.SubscribeAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, late.Response.StatusCode);
    }

    private static async Task<int> PostManyAsync(StreamServer server, int posted, int batches)
    {
        var metrics = string.Join(",", Enumerable.Range(0, 50).Select(i => $$"""{"name":"cpu","type":"gauge","value":{{i}}}"""));
        var appends = Enumerable.Range(0, batches).Select(_ => server.PostAsync($$"""{"metrics":[{{metrics}}]}"""));
        await Task.WhenAll(appends);
        return posted + (50 * batches);
    }

    // Until points and dropped account for everything posted.
    private static async Task<(long Points, long Dropped)> ReadAllAsync(System.Net.Sockets.Socket socket, Task<int> posted)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var text = new StringBuilder();
        var buffer = new byte[65536];
        while (true)
        {
            var (points, dropped) = Count(text.ToString());
            if (posted.IsCompleted && points + dropped >= await posted)
                return (points, dropped);
            var read = await socket.ReceiveAsync(buffer, deadline.Token);
            if (read == 0)
                throw new EndOfStreamException($"The slow subscriber was let go after {points} points and {dropped} dropped.");
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
    }

    private static (long Points, long Dropped) Count(string stream)
    {
        var points = System.Text.RegularExpressions.Regex.Count(stream, @"\d\]");
        var dropped = System.Text.RegularExpressions.Regex.Matches(stream, "\"dropped\":([0-9]+)}").Sum(m => long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));
        return (points, dropped);
    }
}
