using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Kafka.Telemetry;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Kafka.Tests.Spilling;
using EvenKeel.Queue;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Telemetry;

public sealed class TelemetryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_consumer_sees_the_trace_context_of_the_span_and_the_span_says_where_the_record_is()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("traced", 1, Cancellation);
        await using var producer = Observed(broker, out _);
        using var spans = new Spans("traced");
        using var caller = new Activity("caller").SetIdFormat(ActivityIdFormat.W3C).Start();
        caller.TraceStateString = "vendor=7";

        var sending = producer.Send("traced", "k", "value", [RecordHeader.Of("mine", "1")]);
        Assert.Same(caller, Activity.Current);
        var outcome = await sending;

        var span = Assert.Single(spans.Of(caller));
        Assert.Equal(("send traced", ActivityKind.Producer, caller.SpanId), (span.DisplayName, span.Kind, span.ParentSpanId));
        Assert.Equal(
            ("kafka", "send", "send", "traced", "observed", "0", outcome.Offset, 5),
            (span.GetTagItem("messaging.system"), span.GetTagItem("messaging.operation.name"), span.GetTagItem("messaging.operation.type"),
                span.GetTagItem("messaging.destination.name"), span.GetTagItem("messaging.client.id"),
                span.GetTagItem("messaging.destination.partition.id"), span.GetTagItem("messaging.kafka.offset"),
                span.GetTagItem("messaging.message.body.size")));
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
        Assert.Equal(
            [("mine", "1"), ("traceparent", span.Id!), ("tracestate", "vendor=7")], Assert.Single(await HeadersAsync(broker, "traced", 1)));
    }

    [Fact]
    public async Task Without_listeners_the_current_activity_itself_goes_with_the_record_and_without_one_nothing_does()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("bare", 1, Cancellation);
        await using var producer = Observed(broker, out _);

        await producer.Send("bare", "k", "0");
        using (var caller = new Activity("caller").SetIdFormat(ActivityIdFormat.W3C).Start())
        {
            await producer.Send("bare", "k", "1");
            await producer.Send("bare", "k", "2", [RecordHeader.Of("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]);

            var headers = await HeadersAsync(broker, "bare", 3);

            Assert.Empty(headers[0]);
            Assert.Equal([("traceparent", caller.Id!)], headers[1]);
            Assert.Equal([("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")], headers[2]);
        }
    }

    [Fact]
    public async Task A_record_that_carries_a_context_is_sent_beneath_it_and_keeps_it()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("replayed", 1, Cancellation);
        await using var producer = Observed(broker, out _);
        using var spans = new Spans("replayed");
        var trace = ActivityTraceId.CreateRandom();

        await producer.Send("replayed", "k", "v", [RecordHeader.Of("traceparent", $"00-{trace}-b7ad6b7169203331-01")]);

        Assert.Equal("b7ad6b7169203331", Assert.Single(spans.Of(trace)).ParentSpanId.ToString());
        Assert.Equal([("traceparent", $"00-{trace}-b7ad6b7169203331-01")], Assert.Single(await HeadersAsync(broker, "replayed", 1)));
    }

    [Fact]
    public async Task What_fails_ends_its_span_and_measurement_with_the_error()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = Observed(broker, out var meter, options => options with { MaxRecordBytes = 1000 });
        using var spans = new Spans("large", " ");
        using var measured = new Measurements(meter);
        using var caller = new Activity("caller").SetIdFormat(ActivityIdFormat.W3C).Start();

        var outcome = await producer.Send("large", "k", new string('x', 2000));
        await Assert.ThrowsAsync<ArgumentException>(() => producer.Send(" ", "k", "v"));

        Assert.Equal(DeliveryStatus.Refused, outcome.Status);
        Assert.Equal(["MessageTooLarge", "invalid_record"], spans.Of(caller).Select(span => span.GetTagItem("error.type")));
        Assert.All(spans.Of(caller), span => Assert.Equal(ActivityStatusCode.Error, span.Status));
        Assert.Equal("MessageTooLarge", Assert.Single(measured.Of("messaging.client.sent.messages")).Tags["error.type"]);
    }

    [Fact]
    public async Task Records_are_counted_and_timed_by_topic_and_the_backlog_can_be_read()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("measured", 1, Cancellation);
        await using var producer = Observed(broker, out var meter);
        using var measured = new Measurements(meter);

        await producer.Send("measured", "k", "1");
        Assert.True(producer.TrySend(new OutgoingRecord("measured", default, "2"u8), out var second));
        await second;
        measured.Read();

        var sent = measured.Of("messaging.client.sent.messages");
        Assert.Equal((2, 2.0), (sent.Count, sent.Sum(measurement => measurement.Value)));
        Assert.All(sent, measurement => Assert.Equal(
            ("kafka", "send", "measured", false),
            (measurement.Tags["messaging.system"], measurement.Tags["messaging.operation.name"], measurement.Tags["messaging.destination.name"],
                measurement.Tags.ContainsKey("error.type"))));
        Assert.All(measured.Of("messaging.client.operation.duration"), measurement => Assert.InRange(measurement.Value, 0.0001, 30));
        Assert.Equal(0, Assert.Single(measured.Of("evenkeel.kafka.producer.backlog")).Value);
        Assert.Equal(2, measured.Of("evenkeel.kafka.producer.records").Single(one => (string?)one.Tags["outcome"] == "delivered").Value);
    }

    [Fact]
    public async Task A_send_that_finds_no_room_or_is_cancelled_leaves_a_trace_that_is_true()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("full", 1, Cancellation);
        await using var producer = Observed(
            broker, out var meter, options => options with { MaxRecords = 1, Linger = TimeSpan.FromSeconds(20), Drain = Producers.Short });
        using var spans = new Spans("full");
        using var measured = new Measurements(meter);
        using var caller = new Activity("caller").SetIdFormat(ActivityIdFormat.W3C).Start();
        using var stop = new CancellationTokenSource();
        var first = producer.Send("full", "k", "1");

        Assert.False(producer.TrySend(new OutgoingRecord("full", default, "2"u8), out _));
        var waiting = producer.Send("full", "k", "3", token: stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        Assert.Same(caller, Activity.Current);
        Assert.False(first.IsCompleted);
        Assert.Equal("cancelled", Assert.Single(measured.Of("messaging.client.sent.messages")).Tags["error.type"]);
        Assert.Equal([(false, null), (true, "cancelled")], spans.Of(caller).Select(span => (span.Recorded, span.GetTagItem("error.type"))));
    }

    [Fact]
    public async Task Listeners_that_throw_are_counted_and_every_outcome_still_comes()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("thrower", 1, Cancellation);
        await using var producer = Observed(broker, out var meter);
        using var listener = new MeterListener();
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("This listener throws."));
        listener.InstrumentPublished = (instrument, me) =>
        {
            if (instrument.Meter == meter)
                me.EnableMeasurementEvents(instrument);
        };
        listener.Start();

        var outcomes = await Producers.All(Enumerable.Range(0, 50).Select(i => producer.Send("thrower", "k", $"{i}")));

        Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered));
        await Until(() => producer.Counters.ThrownByUsers == 50, () => $"{producer.Counters.ThrownByUsers} were counted");
    }

    [Fact]
    public async Task Librdkafkas_statistics_become_measurements_of_brokers_and_partitions()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("statistics", 2, Cancellation);
        await using var producer = Observed(
            broker, out var meter, options => options with { Properties = new Dictionary<string, string> { ["statistics.interval.ms"] = "100" } });
        using var measured = new Measurements(meter);
        await Until(
            () =>
            {
                // An interval without requests has no round trip.
                _ = producer.Send("statistics", "k", "v");
                measured.Read();
                return measured.Of("evenkeel.kafka.broker.rtt").Any(one => one.Value > 0)
                    && measured.Of("evenkeel.kafka.partition.queued").Select(one => one.Tags["messaging.destination.partition.id"]).Distinct().Count() == 2;
            },
            () => string.Join(", ", measured.Names));

        var up = measured.Of("evenkeel.kafka.broker.up")[^1];
        Assert.All(measured.Of("evenkeel.kafka.broker.rtt"), one => Assert.InRange(one.Value, 0.000001, 30));
        Assert.Equal((1, "observed"), (up.Value, up.Tags["messaging.client.id"]));
        Assert.Equal(broker.BootstrapServers.Split(',')[0], $"{up.Tags["server.address"]}:{up.Tags["server.port"]}");
        Assert.Empty(measured.Of("evenkeel.kafka.partition.lag"));
    }

    [Fact]
    public async Task A_producer_that_is_gone_is_measured_no_more()
    {
        await using var broker = EmbeddedBroker.Start();
        var producer = Observed(broker, out var meter);
        using var measured = new Measurements(meter);
        measured.Read();
        await producer.DisposeAsync();
        var before = measured.Of("evenkeel.kafka.producer.backlog").Count;
        measured.Read();

        Assert.Equal((1, 1), (before, measured.Of("evenkeel.kafka.producer.backlog").Count));
    }

    [Fact]
    public async Task A_spilling_producer_says_what_its_spill_holds_and_did_until_it_ends()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("spilled", 1, Cancellation);
        using var spills = new Spills();
        using var meter = new Meter("EvenKeel.Kafka");
        using var measured = new Measurements(meter);
        broker.Faults.TakeDown();
        await using var producer = new SpillingProducer(
            Spills.Client(broker), spills.Options(SpillAcknowledgement.Disk), DurableQueue.Open, TimeProvider.System,
            new ProducerObserver("spiller", new KafkaMeter(meter), null));
        await Producers.All(Enumerable.Range(0, 5).Select(i => Spills.Send(producer, "spilled", "k", $"{i}")));

        measured.Read();
        broker.Faults.BringUp();
        await Spills.UntilState(producer, SpillState.Direct);
        measured.Read();
        await producer.DisposeAsync();
        measured.Read();

        Assert.Equal([5.0, 0.0], measured.Of("evenkeel.kafka.spill.records").Select(one => one.Value));
        Assert.Equal([5.0, 5.0], measured.Of("evenkeel.kafka.spill.spilled").Select(one => one.Value));
        Assert.Equal([0.0, 5.0], measured.Of("evenkeel.kafka.spill.replayed").Select(one => one.Value));
        Assert.Equal([1.0, 0.0], measured.Of("evenkeel.kafka.spill.state").Select(one => one.Value));
        Assert.All(measured.Of("evenkeel.kafka.spill.size"), one => Assert.Equal("spiller", one.Tags["messaging.client.id"]));
    }

    [Fact]
    public async Task What_a_spilling_producer_has_delivered_is_counted_on_when_another_client_takes_over()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("counted", 1, Cancellation);
        using var spills = new Spills();
        using var meter = new Meter("EvenKeel.Kafka");
        using var measured = new Measurements(meter);
        await using var producer = new SpillingProducer(
            Spills.Client(broker), spills.Options(SpillAcknowledgement.Disk), DurableQueue.Open, TimeProvider.System,
            new ProducerObserver("counted", new KafkaMeter(meter), null));
        await Producers.All(Enumerable.Range(0, 3).Select(i => Spills.Send(producer, "counted", "k", $"{i}")));
        measured.Read();

        broker.Faults.TakeDown();
        Assert.Equal(DeliveryStatus.Spilled, (await Spills.Send(producer, "counted", "k", "spilled")).Status);
        broker.Faults.BringUp();
        await Spills.UntilState(producer, SpillState.Direct);
        measured.Read();

        Assert.True(producer.Counters.Takeovers > 0, $"{producer.Counters}");
        Assert.Equal(
            [3.0, 3.0],
            measured.Of("evenkeel.kafka.producer.records").Where(one => one.Tags.ContainsValue("delivered")).Select(one => one.Value));
    }

    private static ReliableProducer Observed(EmbeddedBroker broker, out Meter meter, Func<ProducerOptions, ProducerOptions>? configure = null)
    {
        meter = new Meter("EvenKeel.Kafka");
        var options = Producers.Options(broker);
        return new ReliableProducer(configure?.Invoke(options) ?? options, null, new ProducerObserver("observed", new KafkaMeter(meter), null));
    }

    private static async Task<List<List<(string, string)>>> HeadersAsync(EmbeddedBroker broker, string topic, int count)
    {
        await using var consumer = Consumer(broker.BootstrapServers, NewName("headers"));
        using var queue = EventQueue.Consumer(consumer);
        using (var list = new PartitionList())
        {
            list.Add(topic, 0, SpecialOffset.Beginning);
            consumer.Assign(list);
        }
        var records = new List<List<(string, string)>>();
        ServeUntil(consumer, queue, () => records.Count >= count, record => records.Add(Headers(record)));
        return records;
    }

    private static unsafe List<(string, string)> Headers(nint record)
    {
        var headers = MessageHeaders.Of((NativeMessage*)record);
        var texts = new List<(string, string)>();
        for (var i = 0; i < headers.Count; i++)
        {
            headers.Read(i, out var name, out var value);
            texts.Add((Encoding.UTF8.GetString(name), Encoding.UTF8.GetString(value)));
        }
        return texts;
    }

    /// <summary>The spans of one test: those of its own trace.</summary>
    private sealed class Spans : IDisposable
    {
        private readonly ConcurrentQueue<Activity> _ended = new();
        private readonly ActivityListener _listener;

        // A listener is the whole process's: a span for another test's record would put a header into it.
        public Spans(params string[] topics)
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "EvenKeel.Kafka",
                Sample = (ref ActivityCreationOptions<ActivityContext> span) =>
                    topics.Contains(span.Name[(span.Name.IndexOf(' ') + 1)..])
                        ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
                ActivityStopped = _ended.Enqueue,
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public List<Activity> Of(Activity caller) => Of(caller.TraceId);

        public List<Activity> Of(ActivityTraceId trace) => [.. _ended.Where(span => span.TraceId == trace)];

        public void Dispose() => _listener.Dispose();
    }

    /// <summary>The measurements of one meter.</summary>
    private sealed class Measurements : IDisposable
    {
        private readonly ConcurrentQueue<(string Name, double Value, Dictionary<string, object?> Tags)> _seen = new();
        private readonly MeterListener _listener = new();

        public Measurements(Meter meter)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == meter)
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _seen.Enqueue((instrument.Name, value, Copy(tags))));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => _seen.Enqueue((instrument.Name, value, Copy(tags))));
            _listener.Start();
        }

        public IEnumerable<string> Names => _seen.Select(one => one.Name).Distinct();

        public void Read() => _listener.RecordObservableInstruments();

        public List<(double Value, Dictionary<string, object?> Tags)> Of(string name) =>
            [.. _seen.Where(one => one.Name == name).Select(one => (one.Value, one.Tags))];

        public void Dispose() => _listener.Dispose();

        private static Dictionary<string, object?> Copy(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value);
    }
}
