using EvenKeel.Testing.Synchronization;
using MetricStream.Admission;
using MetricStream.Intake;
using Xunit;

namespace MetricStream.Tests.Admission;

public sealed class RateLimitTests
{
    private readonly ManualTime _time = new();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void A_full_bucket_gives_its_burst_at_once_and_then_its_pace(int perSecond)
    {
        var limit = new RateLimit(perSecond, _time);
        var bucket = 0L;
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(perSecond, TakeAll(limit, ref bucket));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(perSecond, TakeAll(limit, ref bucket));
        _time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(perSecond, TakeAll(limit, ref bucket));
    }

    [Fact]
    public void The_wait_that_is_told_is_enough_and_not_too_long()
    {
        var limit = new RateLimit(2, _time);
        var bucket = 0L;
        TakeAll(limit, ref bucket);

        var wait = limit.Take(ref bucket);

        Assert.InRange(wait, TimeSpan.FromMilliseconds(499), TimeSpan.FromMilliseconds(501));
        _time.Advance(wait - TimeSpan.FromMilliseconds(10));
        Assert.NotEqual(TimeSpan.Zero, limit.Take(ref bucket));
        _time.Advance(TimeSpan.FromMilliseconds(10));
        Assert.Equal(TimeSpan.Zero, limit.Take(ref bucket));
    }

    [Fact]
    public void Of_two_that_reach_for_the_last_token_at_once_one_gets_it()
    {
        var time = new InterruptedTime();
        var limit = new RateLimit(1, time);
        var bucket = new long[1];
        var other = TimeSpan.MinValue;
        time.Interruption = () => other = limit.Take(ref bucket[0]); // Between the first one's look at the bucket and its grasp.

        var first = limit.Take(ref bucket[0]);

        Assert.Equal(TimeSpan.Zero, other);
        Assert.NotEqual(TimeSpan.Zero, first);
    }

    [Fact]
    public void Each_client_has_its_own_bucket_and_those_beyond_the_ledgers_bound_take_no_memory()
    {
        var gate = new Gate(null, 2, _time);
        var ledger = new IntakeLedger(maxClients: 2);
        Assert.Equal(2, Posts(gate, ledger, "one"));
        Assert.Equal(2, Posts(gate, ledger, "two"));
        Assert.Equal(0, Posts(gate, ledger, "one"));

        // Beyond the bound the bucket is found by the name, whoever looked it up.
        Assert.Equal(2, Posts(gate, ledger, "three"));
        Assert.Equal(0, Posts(gate, ledger, "three"));
        var served = Enumerable.Range(0, 1000).Count(i => Posts(gate, ledger, $"other-{i}") == 2);

        Assert.InRange(served, 900, 1000);
        Assert.Equal(3, ledger.Snapshot().Count);
    }

    [Fact]
    public void A_limit_that_changes_holds_from_the_next_batch_on()
    {
        var gate = new Gate(null, 1, _time);
        var ledger = new IntakeLedger();
        Assert.Equal(1, Posts(gate, ledger, "one"));

        gate.Change(null, 0);
        Assert.Equal(10, Posts(gate, ledger, "one"));
        gate.Change(null, 3);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(3, Posts(gate, ledger, "one"));
    }

    private static int Posts(Gate gate, IntakeLedger ledger, string client) =>
        Enumerable.Range(0, 10).Count(_ => gate.Limit(ledger.Client(System.Text.Encoding.ASCII.GetBytes(client))) is null);

    private static int TakeAll(RateLimit limit, ref long bucket)
    {
        for (var taken = 0; ; taken++)
        {
            if (limit.Take(ref bucket) != TimeSpan.Zero)
                return taken;
        }
    }

    /// <summary>A clock that stands, and that somebody else's doing interrupts once.</summary>
    private sealed class InterruptedTime : TimeProvider
    {
        public Action? Interruption { get; set; }

        public override long GetTimestamp()
        {
            var interruption = Interruption;
            Interruption = null;
            interruption?.Invoke();
            return 1_000_000;
        }
    }
}
