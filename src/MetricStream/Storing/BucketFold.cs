namespace MetricStream.Storing;

/// <summary>
/// Folds the samples of one series, in the order of their times, into buckets of <paramref name="stepMs"/> aligned to the epoch and
/// stamped with their start. Buckets without a value are left out; samples that are NaN take no part.
/// </summary>
/// <remarks>
/// <see cref="Aggregation.Rate"/> is per second. Each sample is compared with the one before it in the queried range, which may lie in an
/// earlier bucket: a rise counts as its difference, a fall as a counter that was reset and rose from zero to the new value.
/// A bucket's rate is the sum of those increases over the seconds between its last sample and the sample before its first.
/// The first sample of the range has none before it and adds nothing; a bucket in which no time passed has no rate.
/// </remarks>
internal sealed class BucketFold(long stepMs, Aggregation aggregation)
{
    private long _start;
    private int _count;
    private double _sum;
    private double _min;
    private double _max;
    private double _last;

    // Rate: the sample before the current one, over all buckets, and where the current bucket's time began.
    private bool _hasPrevious;
    private long _previousTime;
    private double _previousValue;
    private double _increase;
    private long _elapsedMs;

    /// <summary>The buckets that are complete.</summary>
    public List<SamplePoint> Points { get; } = [];

    public void Add(long time, double value)
    {
        if (double.IsNaN(value))
            return;
        var start = time - Modulo(time, stepMs);
        if (_count > 0 && start != _start)
            End();
        if (_count == 0)
            Begin(start, value);
        _count++;
        _sum += value;
        _min = Math.Min(_min, value);
        _max = Math.Max(_max, value);
        _last = value;
        if (_hasPrevious)
        {
            _increase += value >= _previousValue ? value - _previousValue : value;
            _elapsedMs += time - _previousTime;
        }

        _hasPrevious = true;
        _previousTime = time;
        _previousValue = value;
    }

    /// <summary>Completes the bucket under way, if there is one.</summary>
    public void End()
    {
        if (_count == 0)
            return;
        if (aggregation != Aggregation.Rate || _elapsedMs > 0)
            Points.Add(new SamplePoint(_start, Value()));
        _count = 0;
    }

    private void Begin(long start, double value)
    {
        _start = start;
        _sum = 0;
        _min = _max = value;
        _increase = 0;
        _elapsedMs = 0;
    }

    private double Value() => aggregation switch
    {
        Aggregation.Avg => _sum / _count,
        Aggregation.Min => _min,
        Aggregation.Max => _max,
        Aggregation.Sum => _sum,
        Aggregation.Last => _last,
        Aggregation.Rate => _increase / (_elapsedMs / 1000.0),
        _ => throw new InvalidOperationException($"No fold for the aggregation {aggregation}."),
    };

    // Of the mathematical kind, so that times before 1970 are aligned downwards too.
    private static long Modulo(long value, long divisor)
    {
        var remainder = value % divisor;
        return remainder < 0 ? remainder + divisor : remainder;
    }
}
