using System.Runtime.InteropServices;

namespace MetricStream.Storing;

/// <summary>
/// A roll-up: what a run of samples of one series comes to, in the order of their times, with what a counter's rate needs: where it began
/// and ended, and by how much it rose in between, a fall being a reset to zero. Samples that are NaN take no part.
/// </summary>
/// <remarks>
/// Roll-ups of adjoining runs add up to that of both. Sums are doubles, so how they are grouped decides their last digits: whatever folds
/// a minute or an hour folds it by <see cref="RollupFold"/>, and a kept roll-up is bit for bit what its samples would give again.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct Rollup
{
    /// <summary>The spans that are kept, in milliseconds.</summary>
    public const long Minute = 60_000;
    public const long Hour = 60 * Minute;

    /// <summary>Its columns in either store, in the order in which they are read and written.</summary>
    public const string Columns = "start, count, min, max, sum, first_time, first, last_time, last, increase";

    public long Start;
    public long Count;
    public double Min;
    public double Max;
    public double Sum;
    public long FirstTime;
    public double First;
    public long LastTime;
    public double Last;
    public double Increase;

    public void Add(long time, double value)
    {
        if (Count == 0)
        {
            (FirstTime, First, Min, Max, Sum, Increase) = (time, value, value, value, 0, 0);
        }
        else
        {
            Min = Math.Min(Min, value);
            Max = Math.Max(Max, value);
            Increase += Rise(Last, value);
        }

        Count++;
        Sum += value;
        (LastTime, Last) = (time, value);
    }

    /// <summary>Adds the run that comes after this one.</summary>
    public void Add(in Rollup next)
    {
        if (Count == 0)
        {
            var start = Start;
            this = next;
            Start = start;
            return;
        }

        Min = Math.Min(Min, next.Min);
        Max = Math.Max(Max, next.Max);
        Increase += Rise(Last, next.First);
        Increase += next.Increase;
        Count += next.Count;
        Sum += next.Sum;
        (LastTime, Last) = (next.LastTime, next.Last);
    }

    /// <summary>By how much a counter rose between two samples; one that fell was reset, and rose from zero.</summary>
    public static double Rise(double before, double value) => value >= before ? value - before : value;

    /// <summary>The start of the bucket that a time lies in. Buckets are aligned to the epoch, those before it too.</summary>
    public static long Floor(long time, long span)
    {
        var remainder = time % span;
        return time - (remainder < 0 ? remainder + span : remainder);
    }

    /// <summary>The first start of a bucket at or behind a time.</summary>
    public static long Ceiling(long time, long span) => Floor(time, span) == time ? time : Floor(time, span) + span;
}

/// <summary>Folds samples in the order of their times into roll-ups of <paramref name="span"/>, each handed on when complete.</summary>
internal sealed class RollupFold(long span, Action<Rollup> complete)
{
    private Rollup _current;

    public void Add(long time, double value)
    {
        if (double.IsNaN(value))
            return;
        Enter(time);
        _current.Add(time, value);
    }

    /// <summary>Takes a run that lies within one bucket of this span.</summary>
    public void Add(in Rollup run)
    {
        Enter(run.Start);
        _current.Add(run);
    }

    /// <summary>Hands on the bucket under way, if there is one.</summary>
    public void End()
    {
        if (_current.Count > 0)
            complete(_current);
        _current = default;
    }

    private void Enter(long time)
    {
        var start = Rollup.Floor(time, span);
        if (_current.Count > 0 && start != _current.Start)
            End();
        _current.Start = start;
    }
}
