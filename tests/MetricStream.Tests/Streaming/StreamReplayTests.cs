using System.Globalization;
using MetricStream.Streaming;
using Xunit;

namespace MetricStream.Tests.Streaming;

public sealed class StreamReplayTests
{
    [Theory]
    [InlineData(10, false)]
    [InlineData(1, false)]
    [InlineData(10, true)]
    [InlineData(1, true)]
    public async Task Who_comes_back_gets_what_it_missed_once_and_in_order_and_then_what_is_new(int readers, bool fromTheStore)
    {
        var options = new StreamOptions { Readers = readers, FramePoints = 250 };
        await using var server = await StreamServer.StartAsync(options, withStore: fromTheStore, segmentBytes: 4096);
        for (var i = 0; i < 1000; i++)
            await server.PostAsync(i % 2 == 0 ? "cpu" : "memory", i, i);
        if (fromTheStore)
            await server.StoredAsync();

        using var cpu = await server.SubscribeAsync("?name=cpu", lastEventId: "99");
        using var all = await server.SubscribeAsync(lastEventId: "-1");
        for (var i = 1000; i < 1200; i++)
            await server.PostAsync(i % 2 == 0 ? "cpu" : "memory", i, i);

        Assert.Equal(
            Enumerable.Range(50, 550).Select(i => 2L * i), (await cpu.UntilAsync(550)).SelectMany(e => e.Points).Select(p => p.Time));
        var everything = await all.UntilAsync(1200);
        Assert.All(everything, e => Assert.Equal(0, e.Dropped));
        Assert.Equal(Enumerable.Range(0, 1200).Select(i => (long)i), everything.SelectMany(e => e.Points).Select(p => p.Time).Order());
    }

    [Fact]
    public async Task A_stream_cut_anywhere_and_taken_up_again_by_its_id_misses_nothing()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions { FrameEvery = TimeSpan.FromMilliseconds(10) });
        using var stop = new CancellationTokenSource();
        var posting = Task.Run(async () =>
        {
            var posted = 0;
            for (; !stop.IsCancellationRequested; posted++)
                await server.PostAsync("cpu", posted, posted, $$"""{"host":"{{posted % 7}}"}""");
            return posted;
        }, TestContext.Current.CancellationToken);

        var seen = new HashSet<long>();
        var id = "-1";
        for (var cut = 1; cut <= 20; cut++)
        {
            using var part = await server.SubscribeAsync("?name=cpu", id);
            for (var events = 0; events < cut; events++)
            {
                var next = await part.NextAsync();
                seen.UnionWith(next!.Points.Select(p => p.Time));
                Assert.Equal(0, next.Dropped);
                id = next.Id;
            }
        }

        await stop.CancelAsync();
        var total = await posting;
        using var rest = await server.SubscribeAsync("?name=cpu", id);
        while (seen.Count < total)
            seen.UnionWith((await rest.NextAsync())!.Points.Select(p => p.Time));
        Assert.Equal(total, seen.Count);
    }

    [Fact]
    public async Task Many_that_come_back_at_once_at_places_of_their_own_each_get_their_part()
    {
        await using var server = await StreamServer.StartAsync(new StreamOptions { Readers = 3, FramePoints = 50 });
        for (var i = 0; i < 400; i++)
            await server.PostAsync("cpu", i, i);

        var parts = await Task.WhenAll(Enumerable.Range(0, 40).Select(async n =>
        {
            using var subscription = await server.SubscribeAsync("?name=cpu", (n * 10 - 1).ToString(CultureInfo.InvariantCulture));
            return (await subscription.UntilAsync(400 - n * 10)).SelectMany(e => e.Points).Select(p => p.Time).ToList();
        }));

        for (var n = 0; n < parts.Length; n++)
            Assert.Equal(Enumerable.Range(n * 10, 400 - n * 10).Select(i => (long)i), parts[n]);
    }

    [Theory]
    [InlineData("1000000")]
    [InlineData("0:17,1:4")]
    [InlineData("-2")]
    public async Task An_id_of_another_log_leads_to_what_is_new(string id)
    {
        await using var server = await StreamServer.StartAsync();
        await server.PostAsync("cpu", 1, 1);
        using var cpu = await server.SubscribeAsync(lastEventId: id);
        await server.PostAsync("cpu", 2, 2);

        Assert.Equal([(2L, 2.0)], (await cpu.NextAsync())!.Points);
    }

    [Fact]
    public async Task What_is_no_longer_kept_is_passed_over()
    {
        await using var server = await StreamServer.StartAsync(withStore: true, segmentBytes: 4096);
        for (var i = 0; i < 200; i++)
            await server.PostAsync("cpu", i, i);
        await server.StoredAsync();
        while (server.Store!.Expire(0, long.MaxValue, 1000).More)
            Assert.Equal(0, server.Hub.Subscribers);
        await server.PostAsync("cpu", 200, 200);

        var head = server.Queue.Head;

        using var cpu = await server.SubscribeAsync(lastEventId: "10");

        Assert.InRange(head, 20, 200);
        Assert.Equal(head, (await cpu.NextAsync())!.Points[0].Time);
    }
}
