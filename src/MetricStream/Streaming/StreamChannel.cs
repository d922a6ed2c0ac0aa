using System.Buffers;
using MetricStream.Storing;

namespace MetricStream.Streaming;

/// <summary>
/// The subscribers of one metric (or of all) that stand at the same place. Points gather here by series until the frame, which is written
/// once for all of them. Used by its lane alone.
/// </summary>
internal sealed class StreamChannel(byte[]? name, StreamPlace from, int maxPoints)
{
    // Series that are quiet for so many frames (a minute) are forgotten, and so is everything beyond this many.
    private const int ForgottenAfterFrames = 600;
    private const int MaxSeries = 50_000;

    private readonly Dictionary<byte[], StreamSeries> _series = new(KeyBytes.Comparer);
    private readonly List<StreamSeries> _touched = [];
    private readonly ArrayBufferWriter<byte> _frame = new();
    private readonly ArrayBufferWriter<byte> _own = new();
    private int _frames;

    public byte[]? Name { get; } = name;

    /// <summary>Where it begins: batches before that are not for it.</summary>
    public StreamPlace From { get; } = from;

    public List<Subscriber> Subscribers { get; } = [];

    /// <summary>Points that wait for the frame. What comes beyond the bound is counted as dropped.</summary>
    public int Points { get; private set; }

    public void Take(ReadOnlySpan<byte> key, long timeUnixMs, double value)
    {
        var known = _series.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (!known.TryGetValue(key, out var series))
        {
            if (_series.Count >= MaxSeries)
                Forget(0);
            var owned = key.ToArray();
            series = new StreamSeries(owned);
            _series.Add(owned, series);
        }

        if (!series.IsTouched)
            _touched.Add(series);
        if (Points >= maxPoints)
        {
            series.Beyond++;
            return;
        }

        series.Points.Add(new SamplePoint(timeUnixMs, value));
        Points++;
    }

    /// <summary>
    /// Offers the frame to each subscriber; <paramref name="refused"/> says what becomes of one that has no room for it. Every event but
    /// the last bears the id of the frame before: who is cut off half-way through gets it again, whole. Returns the points beyond the
    /// frame's bound that those who got it did not get.
    /// </summary>
    public long Deliver(string idBefore, string id, Action<StreamChannel, Subscriber> refused, Action pace)
    {
        Compose(idBefore, id);
        var (beyond, leftOut) = (_touched.Sum(series => series.Beyond), 0L);
        foreach (var subscriber in Subscribers)
        {
            var frame = subscriber.Missed.Count > 0 ? ComposeOwn(subscriber, idBefore, id) : _frame;
            if (frame.WrittenCount == 0)
                continue;
            if (subscriber.TryWrite(frame.WrittenSpan))
            {
                subscriber.Missed.Clear();
                leftOut += beyond;
            }
            else
            {
                refused(this, subscriber);
            }

            pace();
        }

        Clear();
        return leftOut;
    }

    /// <summary>Counts the frame as missed by a subscriber, and returns its points.</summary>
    public long Miss(Subscriber subscriber)
    {
        var points = 0L;
        foreach (var series in _touched)
        {
            subscriber.Missed.TryGetValue(series, out var missed);
            subscriber.Missed[series] = missed + series.Points.Count + series.Beyond;
            points += series.Points.Count + series.Beyond;
        }

        if (subscriber.Missed.Count > MaxSeries)
            subscriber.Cut(); // It could not even be told.
        return points;
    }

    private void Compose(string idBefore, string id)
    {
        _frame.ResetWrittenCount();
        for (var i = 0; i < _touched.Count; i++)
            _touched[i].Write(_frame, i + 1 < _touched.Count ? idBefore : id, withPoints: true, _touched[i].Beyond);
    }

    private ArrayBufferWriter<byte> ComposeOwn(Subscriber subscriber, string idBefore, string id)
    {
        _own.ResetWrittenCount();
        foreach (var (series, missed) in subscriber.Missed)
        {
            if (!series.IsTouched)
                series.Write(_own, idBefore, withPoints: false, missed);
        }

        for (var i = 0; i < _touched.Count; i++)
        {
            subscriber.Missed.TryGetValue(_touched[i], out var missed);
            _touched[i].Write(_own, i + 1 < _touched.Count ? idBefore : id, withPoints: true, _touched[i].Beyond + missed);
        }

        return _own;
    }

    private void Clear()
    {
        foreach (var series in _touched)
        {
            series.Points.Clear();
            series.Beyond = 0;
            series.Idle = 0;
        }

        _touched.Clear();
        Points = 0;
        if (++_frames % ForgottenAfterFrames == 0)
            Forget(ForgottenAfterFrames);
    }

    private void Forget(int idleFrames)
    {
        foreach (var (key, series) in _series)
        {
            series.Idle += ForgottenAfterFrames;
            if (!series.IsTouched && series.Idle > idleFrames)
                _series.Remove(key);
        }
    }
}
