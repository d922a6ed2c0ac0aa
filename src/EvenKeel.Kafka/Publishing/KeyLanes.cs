namespace EvenKeel.Kafka.Publishing;

/// <summary>
/// The lanes hold the publications under way in this process, one lane a key: who is behind an earlier event of the key waits here for its
/// end, instead of leaving the event to the sweeper.
/// </summary>
/// <remarks>
/// The lanes make the wait short; the order is the repository's. A publication in a lane either moves (it records, sends or marks, and will
/// leave) or waits. Nobody waits when nobody moves: what stands in the way is then elsewhere.
/// </remarks>
internal sealed class KeyLanes(TimeProvider time)
{
    // Guarded by _gate.
    private readonly Lock _gate = new();
    private readonly Dictionary<EventKey, Lane> _lanes = [];

    /// <summary>Lanes in use, for tests: 0 when nothing is under way.</summary>
    public int Count
    {
        get { lock (_gate) return _lanes.Count; }
    }

    /// <summary>Publications that wait for others, for tests.</summary>
    public int Waiting
    {
        get { lock (_gate) return _lanes.Values.Sum(lane => lane.Waiting.Count); }
    }

    public Place Enter(EventKey key)
    {
        lock (_gate)
        {
            if (!_lanes.TryGetValue(key, out var lane))
                _lanes.Add(key, lane = new Lane());
            lane.Moving++;
            return new Place(this, key, lane);
        }
    }

    private void Leave(EventKey key, Lane lane)
    {
        lock (_gate)
        {
            lane.Moving--;
            if (lane.Waiting.Count > 0)
                lane.CallOnEarliest();
            if (lane.Moving == 0)
                _lanes.Remove(key);
        }
    }

    private async ValueTask<bool> WaitAsync(Lane lane, long position, TimeSpan limit, CancellationToken cancellationToken)
    {
        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (lane.Moving == 1)
            {
                // Who was in the way may have left after an earlier publication had asked and before it waited: nobody called that one.
                if (lane.Waiting.Count == 0 || lane.Waiting.First().Key > position)
                    return false;
                lane.CallOnEarliest();
            }
            lane.Moving--;
            lane.Waiting.Add(position, waiting);
        }
        await waiting.Task.WaitAsync(limit, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            if (!lane.Waiting.Remove(position))
                return true; // Called on; then it moves again already.
            lane.Moving++;
            return false;
        }
    }

    /// <summary>The publications of one key that are under way.</summary>
    internal sealed class Lane
    {
        // Guarded by _gate of the lanes.
        public int Moving { get; set; }

        public SortedDictionary<long, TaskCompletionSource> Waiting { get; } = [];

        /// <summary>The earliest that waits moves on: it alone can have become the first of its key.</summary>
        public void CallOnEarliest()
        {
            var (position, waiting) = Waiting.First();
            Waiting.Remove(position);
            Moving++;
            waiting.SetResult();
        }
    }

    /// <summary>One publication's place in the lane of its key; disposing it lets the next one go.</summary>
    internal sealed class Place(KeyLanes lanes, EventKey key, Lane lane) : IDisposable
    {
        private bool _left;

        /// <summary>Waits until another publication of the key leaves.</summary>
        /// <returns>False when that cannot be waited for: nobody moves, or the limit or the token ended the wait.</returns>
        public ValueTask<bool> WaitAsync(long position, TimeSpan limit, CancellationToken cancellationToken) =>
            lanes.WaitAsync(lane, position, limit, cancellationToken);

        public void Dispose()
        {
            if (_left)
                return;
            _left = true;
            lanes.Leave(key, lane);
        }
    }
}
