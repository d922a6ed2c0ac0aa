using System.Collections.Concurrent;
using MetricStream.Intake;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class IdempotencyWindowTests
{
    private static IdempotencyWindow Window(int entries, long bytes, TimeProvider? clock = null) =>
        new(new IntakeOptions { WindowEntries = entries, WindowBytes = bytes, IdWindow = TimeSpan.FromHours(1) }, clock ?? TimeProvider.System);

    [Fact]
    public void An_id_older_than_the_id_window_is_new_again_and_one_in_flight_stays()
    {
        var clock = new SteppedClock();
        var window = Window(10, 10_000, clock);
        window.Accept(window.Enter("c", "1").Entry, default, 1);
        Assert.True(window.Enter("c", "flight").IsFirst);
        clock.Now += TimeSpan.FromMinutes(59);
        Assert.False(window.Enter("c", "1").IsFirst);
        window.Accept(window.Enter("c", "2").Entry, default, 1);
        clock.Now += TimeSpan.FromMinutes(1);
        Assert.True(window.Enter("c", "1").IsFirst);
        Assert.False(window.Enter("c", "2").IsFirst);
        Assert.False(window.Enter("c", "flight").IsFirst);
        Assert.Equal((3, 1), (window.Count, window.AcceptedCount));
    }

    [Fact]
    public void The_oldest_accepted_are_forgotten_first_and_those_in_flight_never()
    {
        var window = Window(entries: 3, bytes: 1 << 20);
        var inFlight = window.Enter("c", "flight").Entry;
        for (var i = 0; i < 10; i++)
            window.Accept(window.Enter("c", $"{i}").Entry, default, i);
        Assert.Equal((4, 3), (window.Count, window.AcceptedCount));
        Assert.False(window.Enter("c", "flight").IsFirst);
        Assert.Equal(7, window.Enter("c", "7").Entry.MetricCount);
        Assert.True(window.Enter("c", "6").IsFirst);
        window.Accept(inFlight, default, 1);
        Assert.Equal(3, window.AcceptedCount);
    }

    [Fact]
    public void The_bound_on_bytes_holds_with_the_longest_ids()
    {
        var window = Window(entries: 1_000_000, bytes: 10_000);
        for (var i = 0; i < 1000; i++)
            window.Accept(window.Enter(new string('c', 128), $"{i}".PadLeft(128, '-')).Entry, default, 1);
        Assert.InRange(window.AcceptedCount, 10, 10_000 / 256);
    }

    [Fact]
    public void The_parts_of_an_id_are_not_run_together()
    {
        var window = Window(10, 10_000);
        Assert.True(window.Enter("ab", "c").IsFirst);
        Assert.True(window.Enter("a", "bc").IsFirst);
        Assert.False(window.Enter("a", "bc").IsFirst);
    }

    [Fact]
    public void An_entry_that_ends_twice_is_a_bug_that_is_not_passed_over()
    {
        var window = Window(10, 10_000);
        var accepted = window.Enter("c", "1").Entry;
        window.Accept(accepted, default, 1);
        Assert.Throws<InvalidOperationException>(() => window.Accept(accepted, default, 1));
        Assert.Throws<InvalidOperationException>(() => window.Abandon(accepted));
        var abandoned = window.Enter("c", "2").Entry;
        window.Abandon(abandoned);
        Assert.Throws<InvalidOperationException>(() => window.Accept(abandoned, default, 1));
        Assert.True(window.Enter("c", "2").IsFirst);
    }

    [Fact]
    public void Equal_bodies_have_equal_digests_and_one_changed_bit_makes_another()
    {
        var body = new byte[1000];
        var digest = BodyDigest.Of(body);
        Assert.Equal(digest, BodyDigest.Of(new byte[1000]));
        for (var i = 0; i < body.Length; i += 7)
        {
            body[i] ^= 1;
            Assert.NotEqual(digest, BodyDigest.Of(body));
            body[i] ^= 1;
        }
    }

    /// <summary>Eight tasks fight over a few ids by a seeded schedule. Whatever the interleaving: at most one is the first of an id at a
    /// time, an accepted id is never accepted again, nobody waits for ever.</summary>
    [Fact]
    public async Task Of_many_that_send_one_id_at_once_exactly_one_is_accepted()
    {
        var seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage($"SEED={seed}");
        const int Ids = 200, Senders = 8;
        var window = Window(Ids, 1 << 20);
        var accepted = new ConcurrentDictionary<int, int>();
        var inFlight = new int[Ids];
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(sender => Task.Run(() => SendAsync(new Random(seed + sender)))))
            .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.True(accepted.Count == Ids && accepted.Values.All(times => times == 1), $"SEED={seed}: {accepted.Values.Max()} acceptances of one id");
        Assert.Equal((Ids, Ids), (window.Count, window.AcceptedCount));

        async Task SendAsync(Random random)
        {
            for (var id = 0; id < Ids; id++)
            {
                while (true)
                {
                    var entrance = window.Enter("c", $"{id}");
                    if (!entrance.IsFirst && entrance.FirstEnds is null)
                        break;
                    if (!entrance.IsFirst)
                    {
                        await entrance.FirstEnds!;
                        continue;
                    }

                    Assert.True(Interlocked.Increment(ref inFlight[id]) == 1, $"SEED={seed}: two firsts of id {id}");
                    if (random.Next(2) == 0)
                        await Task.Yield();
                    var fails = random.Next(3) == 0;
                    Interlocked.Decrement(ref inFlight[id]);
                    if (fails)
                    {
                        window.Abandon(entrance.Entry);
                        continue;
                    }

                    accepted.AddOrUpdate(id, 1, (_, times) => times + 1);
                    window.Accept(entrance.Entry, default, id);
                }
            }
        }
    }

    private sealed class SteppedClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
