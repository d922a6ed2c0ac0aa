using System.Diagnostics.Metrics;
using EvenKeel.Testing.Synchronization;
using Microsoft.Extensions.Logging;
using Xunit;

namespace EvenKeel.Testing.Tests.Synchronization;

public sealed class EventTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(30);

    [Fact]
    public void An_event_ends_a_wait_and_a_wait_in_vain_names_it()
    {
        using var stored = new TestEvent("order stored");
        var late = Assert.Throws<TimeoutException>(() => stored.Wait(Short));
        Assert.Contains("'order stored' was not set within 0.03 s", late.Message, StringComparison.Ordinal);

        var thread = new Thread(stored.Set);
        thread.Start();
        stored.Wait();
        thread.Join();
        Assert.True(stored.IsSet);
        stored.Reset();
        Assert.Contains("1 time(s) before", Assert.Throws<TimeoutException>(() => stored.Wait(Short)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_async_event_is_awaited_as_often_as_it_is_to_be_set()
    {
        var stored = new AsyncTestEvent("order stored");
        var third = stored.WaitAsync(3);
        stored.Set();
        stored.Set();
        await stored.WaitAsync(2);
        Assert.False(third.IsCompleted);
        stored.Set();
        await third;

        var late = await Assert.ThrowsAsync<TimeoutException>(() => stored.WaitAsync(4, Short));
        Assert.Contains("'order stored' was set 3 time(s)", late.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => stored.WaitAsync(0));
    }

    [Fact]
    public async Task A_condition_a_value_and_a_change_are_waited_for_and_a_wait_in_vain_tells_their_history()
    {
        var value = 0;
        Assert.Equal(5, await WaitFor.ValueAsync(() => value++, seen => seen == 5, "five"));
        Assert.NotEqual(value, await WaitFor.ChangeAsync(() => value++, "another value"));
        await WaitFor.ConditionAsync(() => value++ > 10, "more than ten");

        var looks = 0;
        var late = await Assert.ThrowsAsync<TimeoutException>(
            () => WaitFor.ValueAsync(() => looks++ < 1 ? "starting" : "stuck", seen => seen == "ready", "the service", TimeSpan.FromMilliseconds(200)));
        Assert.Contains("for the service; last: stuck", late.Message, StringComparison.Ordinal);
        Assert.Contains("ms: starting\n", late.Message, StringComparison.Ordinal);
        Assert.Single(late.Message.Split("ms: stuck")[1..]);

        late = await Assert.ThrowsAsync<TimeoutException>(
            () => WaitFor.ConditionAsync(() => false, "the impossible", () => "queue holds 7", Short));
        Assert.Contains("queue holds 7", late.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<TimeoutException>(() => WaitFor.ChangeAsync(() => 1, "a change", Short));
        await Assert.ThrowsAsync<IOException>(() => WaitFor.ValueAsync<int>(int () => throw new IOException(), _ => true, "a look that fails"));
    }

    [Fact]
    public async Task A_look_that_hangs_does_not_outlast_the_deadline()
    {
        var late = await Assert.ThrowsAsync<TimeoutException>(
            () => WaitFor.AnswerAsync(() => new TaskCompletionSource<int>().Task, _ => true, "an answer", Short));

        Assert.Contains("number 1, did not end", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_line_is_waited_for_and_a_wait_in_vain_tells_the_last_lines()
    {
        using var lines = new LogLines();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(lines));
        var logger = factory.CreateLogger("Orders");
#pragma warning disable CA1848, CA2254 // A test's line: plain text is what it is about.
        logger.LogWarning(new IOException("disk full"), "order 7 was not stored");
#pragma warning restore CA1848, CA2254

        Assert.Equal(
            "Warning Orders: order 7 was not stored | IOException: disk full",
            await lines.WaitAsync(line => line.Contains("order 7", StringComparison.Ordinal), "order 7"));
        var late = await Assert.ThrowsAsync<TimeoutException>(() => lines.WaitAsync(_ => false, "order 8", Short));
        Assert.Contains("order 7 was not stored", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_metric_is_waited_for_by_its_tag_and_others_do_not_count()
    {
        using var meter = new Meter("Orders");
        using var other = new Meter("Others");
        var tag = KeyValuePair.Create("topic", (object?)"a");
        using var watch = new MetricWatch("Orders", "stored", tag);
        var counter = meter.CreateCounter<int>("stored");
        other.CreateCounter<int>("stored").Add(100, tag);
        counter.Add(100, KeyValuePair.Create("topic", (object?)"b"));
        counter.Add(2, tag);
        counter.Add(3, tag);

        await watch.WaitForSumAsync(5);
        Assert.Equal((5, 2), (watch.Sum, watch.Count));
        var late = await Assert.ThrowsAsync<TimeoutException>(() => watch.WaitForSumAsync(6, Short));
        Assert.Contains("Orders/stored to come to 6; last: 5", late.Message, StringComparison.Ordinal);
    }
}
