using EvenKeel.Testing.Synchronization;
using Xunit;

namespace EvenKeel.Testing.Tests.Synchronization;

public sealed class ConcurrencyTests
{
    [Fact]
    public void All_threads_begin_together_and_every_exception_is_told_with_the_order()
    {
        var here = 0;
        var ran = Concurrently.Run(4, thread =>
        {
            Interlocked.Increment(ref here);
            SpinWait.SpinUntil(() => Volatile.Read(ref here) == 4);
            thread.Point("met");
        }, seed: 7);
        Assert.Equal(4, ran.Points.Count(point => point.Point == "met"));
        Assert.True(ran.Switches >= 3, $"{ran}");
        Assert.Contains("SEED=7", ran.ToString(), StringComparison.Ordinal);

        var failed = Assert.Throws<ConcurrentRunException>(() => Concurrently.Run(3, thread =>
        {
            if (thread.Number > 0)
                throw new IOException($"thread {thread.Number}");
        }));
        Assert.Equal(["thread 1", "thread 2"], failed.InnerExceptions.Select(one => one.Message).Order());
        Assert.Contains("2 thread(s) threw", failed.Message, StringComparison.Ordinal);
        Assert.Equal(6, failed.Interleaving!.Points.Count);
    }

    [Fact]
    public void A_thread_that_does_not_end_is_named_with_where_it_was_last()
    {
        using var end = new ManualResetEventSlim();
        var late = Assert.Throws<TimeoutException>(() => Concurrently.Run(2, thread =>
        {
            thread.Point("before the lock");
            if (thread.Number == 1)
                end.Wait();
        }, within: TimeSpan.FromMilliseconds(200)));
        end.Set();

        Assert.Contains("thread 1 after 'before the lock'", late.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("thread 0 after", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tasks_begin_together_and_every_exception_is_told()
    {
        var gate = new AsyncTestEvent("all are here");
        var ran = await Concurrently.RunAsync(8, async task =>
        {
            gate.Set();
            await gate.WaitAsync(8);
            task.Point("met");
        });
        Assert.Equal(8, ran.Points.Count(point => point.Point == "met"));

        var failed = await Assert.ThrowsAsync<ConcurrentRunException>(
            () => Concurrently.RunAsync(2, task => Task.FromException(new IOException($"{task.Number}"))));
        Assert.Equal(2, failed.InnerExceptions.Count);
        await Assert.ThrowsAsync<TimeoutException>(() => Concurrently.RunAsync(
            1, _ => new TaskCompletionSource().Task, within: TimeSpan.FromMilliseconds(50)));
    }

    [Fact]
    public async Task A_repetition_is_reported_with_what_it_swallowed_and_the_last_failure_comes_out_with_all()
    {
        var told = new List<string>();
        var time = new ManualTime();
        var retry = new RetryWithBackoff
        {
            On = failure => failure is IOException,
            Attempts = 3,
            Time = time,
            FirstPause = TimeSpan.FromMinutes(1),
            Report = told.Add,
        };
        var tries = 0;

        var answer = retry.RunAsync("connecting", () => ++tries < 3 ? throw new IOException($"refused {tries}") : Task.FromResult("there"));
        await time.TimersSetAsync();
        time.Advance(TimeSpan.FromMinutes(1));
        await time.TimersSetAsync(2);
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal("there", await answer);
        Assert.Contains("connecting succeeded at try 3 of 3, after IOException: refused 1; IOException: refused 2", Assert.Single(told), StringComparison.Ordinal);

        var all = await Assert.ThrowsAsync<AggregateException>(() => (retry with { Attempts = 1 }).RunAsync("connecting", () => throw new IOException("x")));
        Assert.Contains("connecting failed 1 times: IOException: x", all.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => retry.RunAsync("connecting", () => throw new InvalidOperationException()));
        Assert.Equal("at once", await retry.RunAsync("connecting", () => Task.FromResult("at once")));
        Assert.Single(told);
    }

    [Fact]
    public async Task The_manual_time_moves_only_by_hand_and_calls_timers_in_their_order_at_their_times()
    {
        var time = new ManualTime();
        var begin = time.GetUtcNow();
        var called = new List<string>();
        await using var late = time.CreateTimer(_ => called.Add($"late {Passed()}"), null, TimeSpan.FromSeconds(5), Timeout.InfiniteTimeSpan);
        await using var often = time.CreateTimer(_ => called.Add($"often {Passed()}"), null, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2));
        using var delay = new CancellationTokenSource(TimeSpan.FromSeconds(3), time);
        await time.TimersSetAsync(3);

        time.Advance(TimeSpan.FromSeconds(2.5));
        Assert.False(delay.IsCancellationRequested);
        time.Advance(TimeSpan.FromSeconds(3.5));
        Assert.True(delay.IsCancellationRequested);

        Assert.Equal(["often 2", "often 4", "late 5", "often 6"], called);
        Assert.Equal(TimeSpan.FromSeconds(6), time.GetElapsedTime(begin.UtcTicks));
        Assert.Equal(1, time.WaitingTimers);
        await often.DisposeAsync();
        Assert.False(often.Change(TimeSpan.Zero, TimeSpan.Zero));
        Assert.Equal(0, time.WaitingTimers);
        await Assert.ThrowsAsync<TimeoutException>(() => time.TimersSetAsync(9, TimeSpan.FromMilliseconds(20)));

        double Passed() => (time.GetUtcNow() - begin).TotalSeconds;
    }
}
