using System.Diagnostics;

namespace EvenKeel.Testing.Synchronization;

/// <summary>A clock that stands still until the test moves it; timers are due in their order while it moves.</summary>
/// <param name="start">Its first time; absent: the beginning of the year 2000, UTC.</param>
public sealed class ManualTime(DateTimeOffset? start = null) : TimeProvider
{
    private static readonly DateTimeOffset Year2000 = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<ManualTimer> _timers = [];
    private readonly AsyncTestEvent _timersSet = new("a timer of the manual time");
    private DateTimeOffset _now = start ?? Year2000;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Timers that wait now.</summary>
    public int WaitingTimers
    {
        get
        {
            lock (_gate)
                return _timers.Count(timer => timer.Due is not null);
        }
    }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _now;
    }

    /// <inheritdoc/>
    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new ManualTimer(this, () => callback(state));
        lock (_gate)
            _timers.Add(timer);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>
    /// Waits until timers have been set so often, since the beginning: so that the clock is moved after the code under test has begun to
    /// wait, and not before.
    /// </summary>
    /// <param name="times">At least 1.</param>
    /// <param name="within">The deadline, in real time; absent: 10 s.</param>
    /// <exception cref="TimeoutException">They were not, in time.</exception>
    public Task TimersSetAsync(int times = 1, TimeSpan? within = null) => _timersSet.WaitAsync(times, within);

    /// <summary>Moves the clock; each timer that comes due on the way is called, on this thread, at its time.</summary>
    /// <param name="time">Zero or more.</param>
    public void Advance(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        DateTimeOffset end;
        lock (_gate)
            end = _now + time;
        while (NextDue(end) is { } due)
            due.Call();
        lock (_gate)
            _now = end > _now ? end : _now;
    }

    private ManualTimer? NextDue(DateTimeOffset end)
    {
        lock (_gate)
        {
            var next = _timers.Where(timer => timer.Due <= end).MinBy(timer => timer.Due);
            if (next is null)
                return null;
            Debug.Assert(next.Due is not null, "a timer that waits has its time");
            if (next.Due > _now)
                _now = next.Due.Value;
            next.Due = next.Period > TimeSpan.Zero ? next.Due + next.Period : null;
            return next;
        }
    }

    private sealed class ManualTimer(ManualTime time, Action call) : ITimer
    {
        // Guarded by the clock's gate.
        public DateTimeOffset? Due { get; set; }

        public TimeSpan Period { get; private set; }

        public Action Call => call;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                if (!time._timers.Contains(this))
                    return false;
                Due = dueTime == Timeout.InfiniteTimeSpan ? null : time._now + dueTime;
                Period = period == Timeout.InfiniteTimeSpan ? TimeSpan.Zero : period;
            }
            if (dueTime != Timeout.InfiniteTimeSpan)
                time._timersSet.Set();
            if (dueTime == TimeSpan.Zero)
                time.Advance(TimeSpan.Zero);
            return true;
        }

        public void Dispose()
        {
            lock (time._gate)
                time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
