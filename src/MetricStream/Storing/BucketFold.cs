namespace MetricStream.Storing;

/// <summary>
/// Folds the samples of one series, in the order of their times, into buckets of a step aligned to the epoch and stamped with their start.
/// Buckets without a value are left out; samples that are NaN take no part. It takes kept roll-ups in the place of their samples: where
/// the step is made of whole minutes or hours, samples go through those first, so that the answer is the same to the last bit.
/// </summary>
/// <remarks>
/// <see cref="Aggregation.Rate"/> is per second. Each sample is compared with the one before it in the queried range, which may lie in an
/// earlier bucket: a rise counts as its difference, a fall as a counter that was reset and rose from zero to the new value.
/// A bucket's rate is the sum of those increases over the seconds between its last sample and the sample before its first.
/// The first sample of the range has none before it and adds nothing; a bucket in which no time passed has no rate.
/// </remarks>
internal sealed class BucketFold
{
    private readonly Aggregation _aggregation;
    private readonly RollupFold? _minutes;
    private readonly RollupFold? _hours;
    private readonly RollupFold _steps;

    // Rate: the bucket before the current one.
    private Rollup _previous;

    public BucketFold(long stepMs, Aggregation aggregation)
    {
        _aggregation = aggregation;
        _steps = new RollupFold(stepMs, Take);
        _hours = stepMs % Rollup.Hour == 0 ? new RollupFold(Rollup.Hour, hour => _steps.Add(hour)) : null;
        _minutes = stepMs % Rollup.Minute == 0 ? new RollupFold(Rollup.Minute, minute => (_hours ?? _steps).Add(minute)) : null;
    }

    /// <summary>The buckets that are complete.</summary>
    public List<SamplePoint> Points { get; } = [];

    public void Add(long time, double value) => (_minutes ?? _steps).Add(time, value);

    /// <summary>Takes a kept roll-up of <paramref name="span"/>, of which the step is a multiple.</summary>
    public void Add(in Rollup kept, long span)
    {
        _minutes?.End();
        if (span == Rollup.Hour)
            _hours?.End();
        (span == Rollup.Minute ? _hours ?? _steps : _steps).Add(kept);
    }

    /// <summary>Completes the bucket under way, if there is one.</summary>
    public void End()
    {
        _minutes?.End();
        _hours?.End();
        _steps.End();
    }

    private void Take(Rollup bucket)
    {
        var elapsedMs = bucket.LastTime - (_previous.Count > 0 ? _previous.LastTime : bucket.FirstTime);
        if (_aggregation != Aggregation.Rate || elapsedMs > 0)
            Points.Add(new SamplePoint(bucket.Start, Value(bucket, elapsedMs)));
        _previous = bucket;
    }

    private double Value(in Rollup bucket, long elapsedMs) => _aggregation switch
    {
        Aggregation.Avg => bucket.Sum / bucket.Count,
        Aggregation.Min => bucket.Min,
        Aggregation.Max => bucket.Max,
        Aggregation.Sum => bucket.Sum,
        Aggregation.Last => bucket.Last,
        Aggregation.Rate =>
            ((_previous.Count > 0 ? Rollup.Rise(_previous.Last, bucket.First) : 0) + bucket.Increase) / (elapsedMs / 1000.0),
        _ => throw new InvalidOperationException($"No fold for the aggregation {_aggregation}."),
    };
}
