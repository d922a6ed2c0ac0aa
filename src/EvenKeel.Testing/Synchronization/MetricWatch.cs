using System.Diagnostics.Metrics;
using System.Globalization;

namespace EvenKeel.Testing.Synchronization;

/// <summary>
/// The sum of what one instrument of one meter was told since the watch began, for a test to wait for: counters and histograms. Other
/// instruments of the process do not reach it; a tag picks out what is the test's own.
/// </summary>
public sealed class MetricWatch : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly string _name;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private double _sum;
    private long _count;

    /// <summary>Begins to listen.</summary>
    /// <param name="meter">The meter's name.</param>
    /// <param name="instrument">The instrument's name.</param>
    /// <param name="tag">Only measurements with this tag; null: all.</param>
    public MetricWatch(string meter, string instrument, KeyValuePair<string, object?>? tag = null)
    {
        _name = $"{meter}/{instrument}";
        _listener.InstrumentPublished = (found, listener) =>
        {
            if (found.Meter.Name == meter && found.Name == instrument)
                listener.EnableMeasurementEvents(found);
        };
        _listener.SetMeasurementEventCallback<int>((_, value, tags, _) => Add(value, tags, tag));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Add(value, tags, tag));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, _) => Add(value, tags, tag));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, _) => Add(value, tags, tag));
        _listener.Start();
    }

    /// <summary>The sum of the measurements.</summary>
    public double Sum
    {
        get
        {
            lock (_gate)
                return _sum;
        }
    }

    /// <summary>How many there were.</summary>
    public long Count
    {
        get
        {
            lock (_gate)
                return _count;
        }
    }

    /// <summary>Waits until the sum is at least so much.</summary>
    /// <param name="sum">What is waited for.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <exception cref="TimeoutException">It was not, in time; the message tells the sums that were seen.</exception>
    public Task WaitForSumAsync(double sum, TimeSpan? within = null) =>
        WaitFor.ValueAsync(
            () => Sum, seen => seen >= sum, string.Create(CultureInfo.InvariantCulture, $"{_name} to come to {sum}"), within);

    /// <summary>Ends to listen.</summary>
    public void Dispose() => _listener.Dispose();

    private void Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, KeyValuePair<string, object?>? wanted)
    {
        if (wanted is { } tag && !Has(tags, tag))
            return;
        lock (_gate)
        {
            _sum += value;
            _count++;
        }
    }

    private static bool Has(ReadOnlySpan<KeyValuePair<string, object?>> tags, KeyValuePair<string, object?> wanted)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == wanted.Key && Equals(tag.Value, wanted.Value))
                return true;
        }
        return false;
    }
}
