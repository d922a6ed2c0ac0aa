using System.Diagnostics.Metrics;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Serving;
using MetricStream.Storing;

namespace MetricStream.Telemetry;

/// <summary>
/// The server's own numbers as instruments, under OpenTelemetry's naming: the law, the queue, admission. They are read when somebody
/// collects; only the time of each batch is recorded as it comes.
/// </summary>
internal sealed class ServerMeter : IDisposable
{
    public const string Name = "MetricStream";

    // One collection reads many instruments: they tell of one moment.
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(500);

    // Seconds: an fsync on a good disk is 0.1 ms, a time-out 5 s.
    private static readonly double[] Bounds = [.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5];

    private readonly Meter _meter = new(Name);
    private readonly IServerState _state;
    private readonly TimeProvider _time;

    // Guarded by _reading.
    private readonly Lock _reading = new();
    private ConservationLaw? _law;
    private long _readAt;

    public ServerMeter(IServerState state, IntakeTimes times, Gate gate, TimeProvider time)
    {
        (_state, _time) = (state, time);
        times.Durations = _meter.CreateHistogram<double>(
            "metricstream.intake.duration", "s", "From the last byte of a body to the acknowledgement.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = Bounds });
        OfLaw();
        OfAdmission(gate);
        _meter.CreateObservableGauge("metricstream.queue.limit", () => state.MaxQueueBytes, "By", "Bytes at which intake answers 503.");
        _meter.CreateObservableGauge(
            "metricstream.ready", () => state.NotReady() is null ? 1 : 0, null, "1: a batch posted now can be made durable.");
    }

    public void Dispose() => _meter.Dispose();

    private void OfAdmission(Gate gate)
    {
        Counter("connections.refused", () => gate.Connections.Refused, "{connection}", "Closed for being one too many.");
        Counter("requests.unauthorized", () => gate.Unauthorized, "{request}", "Without a key that is known.");
        Counter("requests.forbidden", () => gate.Forbidden, "{request}", "With a key that may not do what was asked.");
        Counter("requests.rate_limited", () => gate.Limited, "{request}", "Over the client's rate.");
        _meter.CreateObservableGauge("metricstream.connections", () => gate.Connections.Open, "{connection}", "Open connections.");
        _meter.CreateObservableGauge(
            "metricstream.admission.stale", () => gate.Trouble is null ? 0 : 1, null,
            "1: keys and limit in force are not those of the files.");

        void Counter(string name, Func<long> value, string unit, string help) =>
            _meter.CreateObservableCounter("metricstream." + name, value, unit, help);
    }

    private void OfLaw()
    {
        Counter("acknowledged", law => law.Acknowledged, "Made durable, acknowledged re-sends included.");
        Counter("stored", law => law.Stored, "In the store.");
        Counter("duplicates", law => law.Duplicates, "Acknowledged re-sends of known batches.");
        Counter("quarantined", law => law.Quarantined, "Records that the disk damaged.");
        Counter("rejected", law => law.Rejected, "Refused with a reason.");
        Gauge("queued", law => law.Queued, "Wait for the store.");
        Gauge("spilled", law => law.Spilled, "Wait for Kafka.");
        Gauge("dead_lettered", law => law.DeadLettered, "Refused by the store for good.");
        Gauge("missing", law => law.Missing, "What the conservation law cannot account for; 0 at rest.");

        void Counter(string name, Func<ConservationLaw, long> value, string help) =>
            _meter.CreateObservableCounter($"metricstream.batches.{name}", () => Read(value), "{batch}", help);

        void Gauge(string name, Func<ConservationLaw, long> value, string help) =>
            _meter.CreateObservableGauge($"metricstream.batches.{name}", () => Read(value), "{batch}", help);
    }

    // Nothing, where the store cannot be read: no number is better than a wrong one.
    private IEnumerable<Measurement<long>> Read(Func<ConservationLaw, long> value)
    {
        lock (_reading)
        {
            if (_readAt == 0 || _time.GetElapsedTime(_readAt) > Moment)
            {
                _law = LawNow();
                _readAt = _time.GetTimestamp();
            }
            return _law is { } law ? [new Measurement<long>(value(law))] : [];
        }
    }

    private ConservationLaw? LawNow()
    {
        try
        {
            return _state.Law();
        }
        catch (StoreUnavailableException)
        {
            return null; // Readiness, the log and the missing numbers tell of it.
        }
    }
}
