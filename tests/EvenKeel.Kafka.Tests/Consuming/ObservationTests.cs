using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Telemetry;
using EvenKeel.Kafka.Tests.Hosting;
using EvenKeel.Testing.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class ObservationTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hosted_consumer_begins_with_the_host_writes_dead_letters_through_its_producer_and_stops_before_it()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("hosted", 1, Cancellation);
        await FillAsync(broker, "hosted", 20);
        var heard = new Heard();
        using var host = Hosts.Build(
            broker.BootstrapServers,
            kafka => kafka.AddProducer().AddConsumer(
                "reader",
                new ConsumerSubscription("hosted", ["hosted"], _ => Handle) { DeadLetterTopic = "hosted-letters" },
                options => options with { Failures = new FailureOptions { Attempts = 2, Backoff = TimeSpan.FromMilliseconds(1) } }),
            null, ("Kafka:ConsumerProperties:fetch.wait.max.ms", "10"), ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
            ("KAFKA_HEARTBEAT_INTERVAL_MS", "2000"), ("KAFKA_REQUEST_TIMEOUT_MS", "5000"));

        ValueTask Handle(ReceivedRecord record, CancellationToken _) =>
            record.Number() == 5 ? throw new FormatException("poison") : heard.Take(record);

        await host.StartAsync(Cancellation);
        var consumer = host.Services.GetRequiredKeyedService<ReliableConsumer>("reader");
        await Until(() => consumer.Counters is { Done: 20, DeadLetters: 1 }, () => $"{consumer.Counters}; {heard}");
        var health = (await host.HealthAsync()).Entries["kafka-reader"];
        await host.StopAsync(Cancellation);

        Assert.Equal(HealthStatus.Healthy, health.Status);
        Assert.Equal("6000", consumer.Options.Properties["session.timeout.ms"]);
        Assert.Single(host.Log().Of(1108));
        Assert.Contains(host.Log().Of(1301), line => line.Contains("DeadLettered", StringComparison.Ordinal));
        Assert.True(consumer.Ended.IsCompletedSuccessfully);
        Assert.Equal(HealthStatus.Unhealthy, (await host.HealthAsync()).Entries["kafka-reader"].Status);
    }

    [Fact]
    public async Task A_lane_that_is_stuck_is_unhealthy_and_a_lag_over_the_bound_degraded()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("stuck", 1, Cancellation);
        await FillAsync(broker, "stuck", 20);
        using var turns = new SemaphoreSlim(0);
        ConsumerSubscription Subscription(string group, TimeSpan stuckAfter) =>
            new(group, ["stuck"], _ => async (_, stop) => await turns.WaitAsync(stop)) { StuckAfter = stuckAfter, MaxLag = 10 };
        using var host = Hosts.Build(
            broker.BootstrapServers,
            kafka => kafka.AddConsumer("stuck", Subscription("one", TimeSpan.FromMilliseconds(50)))
                .AddConsumer("late", Subscription("two", TimeSpan.FromMinutes(5))),
            null, ("Kafka:ConsumerProperties:fetch.wait.max.ms", "10"));

        await host.StartAsync(Cancellation);
        turns.Release(2);
        var report = await host.HealthAsync();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var deadline = new CancellationTokenSource(Deadline);
        while (report.Entries["kafka-stuck"].Status != HealthStatus.Unhealthy
            || !report.Entries["kafka-late"].Description!.Contains("MaxLag", StringComparison.Ordinal))
        {
            Assert.False(
                deadline.IsCancellationRequested, string.Join("; ", report.Entries.Values.Select(entry => entry.Description)));
            await tick.WaitForNextTickAsync(Cancellation);
            report = await host.HealthAsync();
        }
        Assert.Contains("StuckAfter", report.Entries["kafka-stuck"].Description, StringComparison.Ordinal);
        Assert.Equal(HealthStatus.Degraded, report.Entries["kafka-late"].Status);
        turns.Release(1000);
        await host.StopAsync(Cancellation);
    }

    [Fact]
    public async Task The_span_of_a_handler_is_linked_to_the_one_that_sent_the_record()
    {
        // A listener is the whole process's: a span for another test's record would put a header into it.
        var (spans, topic) = (new ConcurrentQueue<Activity>(), NewName("linked"));
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == KafkaTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> span) =>
                span.Name.EndsWith($" {topic}", StringComparison.Ordinal)
                    ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync(topic, 1, Cancellation);
        await FillAsync(broker, topic, 1);
        var heard = new Heard();
        ActivityContext current = default;

        await using var consumer = new ReliableConsumer(Options(broker, "linked", topic), (record, _) =>
        {
            current = Activity.Current?.Context ?? default;
            return heard.Take(record);
        });
        await heard.Until(all => all.Count == 1);
        await Until(() => spans.Any(span => span.OperationName == $"process {topic}"), () => $"{spans.Count} spans");

        var handled = Assert.Single(spans, span => span.OperationName == $"process {topic}");
        var sent = Assert.Single(spans, span => span.OperationName == $"send {topic}");
        Assert.Equal(sent.SpanId, Assert.Single(handled.Links).Context.SpanId);
        Assert.Equal(handled.SpanId, current.SpanId);
        Assert.Equal((topic, "linked", 0L), (
            handled.GetTagItem("messaging.destination.name"), handled.GetTagItem("messaging.consumer.group.name"),
            handled.GetTagItem("messaging.kafka.offset")));
    }

    [Fact]
    public async Task Lag_work_in_hand_and_the_age_of_the_last_commit_are_measured()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("measured", 1, Cancellation);
        await FillAsync(broker, "measured", 20);
        var (heard, group) = (new Heard(), NewName("measured"));
        using var turns = new SemaphoreSlim(5);

        await using var consumer = new ReliableConsumer(
            Options(broker, group, "measured"),
            async (record, stop) =>
            {
                await turns.WaitAsync(stop);
                await heard.Take(record);
            },
            heard.Take);
        await Until(() => consumer.Positions() is [{ DoneOffset: 5, CommittedOffset: 5 }], () => $"{heard}");
        var values = Measure(group);

        Assert.Equal(15, values["evenkeel.kafka.consumer.lag"]);
        Assert.InRange(values["evenkeel.kafka.consumer.lag.time"], 0, 60);
        Assert.Equal(15, values["evenkeel.kafka.consumer.in_hand"]);
        Assert.InRange(values["evenkeel.kafka.consumer.in_hand.size"], 15 * 6, 15 * 10);
        Assert.InRange(values["evenkeel.kafka.consumer.commit.age"], 0, 60);
        Assert.Equal(5, values["evenkeel.kafka.consumer.records"]);
        await consumer.StopAsync(TimeSpan.Zero, Cancellation);
        await Until(() => Measure(group).Count == 0, () => "still measured after its end");
    }

    private static Dictionary<string, long> Measure(string group)
    {
        var values = new Dictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == KafkaTelemetry.MeterName)
                    self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (tags.ToArray().Any(tag => Equals(tag.Value, group)))
                values[instrument.Name] = value;
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return values;
    }
}
