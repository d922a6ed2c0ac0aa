using System.Collections.Concurrent;
using System.Diagnostics;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Hosting;

public sealed class HostTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_host_gives_out_its_producers_and_drains_them_at_its_stop()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("hosted", 1, Cancellation);
        using var host = Hosts.Build(
            broker.BootstrapServers,
            kafka => kafka.AddProducer().AddProducer("slow", options => options with { Linger = TimeSpan.FromSeconds(30) }));

        await host.StartAsync(Cancellation);
        var lingering = host.Producer("slow").Send("hosted", null, "last");
        Assert.True((await host.Producer().Send("hosted", null, "first")).IsDelivered);
        Assert.Same(host.Producer(), host.Services.GetRequiredService<IRecordProducer>());
        Assert.Same(host.Producer("slow"), host.Services.GetRequiredKeyedService<IRecordProducer>("slow"));
        await host.StopAsync(Cancellation);

        Assert.True((await lingering.WaitAsync(Deadline, Cancellation)).IsDelivered);
        Assert.Equal(2, host.Log().Of(1101).Count);
        Assert.Equal(2, host.Log().Of(1105).Count);
        Assert.Empty(host.Log().Of(1104));
        Assert.Equal(DeliveryStatus.Refused, (await host.Producer().Send("hosted", null, "late")).Status);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Producers_are_there_before_any_hosted_service_and_drained_after_all_whatever_the_order_of_registration(bool kafkaFirst)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("order", 1, Cancellation);
        var outcomes = new ConcurrentQueue<(string When, DeliveryStatus Status)>();
        IHost? host = null;
        Witness Witness(IServiceProvider provider) => new(async when =>
            outcomes.Enqueue((when, (await provider.GetRequiredService<IRecordProducer>().SendAsync("order", "k", when, null, Cancellation)).Status)));
        void Kafka(KafkaHostBuilder kafka) => kafka.AddProducer();
        host = kafkaFirst
            ? Hosts.Build(broker.BootstrapServers, kafka => { Kafka(kafka); kafka.Services.AddSingleton<IHostedService>(Witness); })
            : Hosts.Build(broker.BootstrapServers, Kafka, services => services.AddSingleton<IHostedService>(Witness));

        using (host)
        {
            await host.StartAsync(Cancellation);
            await host.StopAsync(Cancellation);
        }

        Assert.Equal([("started", DeliveryStatus.Delivered), ("stopped", DeliveryStatus.Delivered)], outcomes);
    }

    [Fact]
    public async Task Consumers_start_last_and_stop_first_and_what_sends_by_itself_stops_between_them_and_the_producers()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("stages", 1, Cancellation);
        var events = new ConcurrentQueue<string>();
        using var host = Hosts.Build(broker.BootstrapServers, kafka =>
        {
            kafka.AddProducer();
            kafka.Plan.Senders.Add(new PlannedPart("sweeper", context => new Recorder("sweeper", events, context)));
            kafka.Plan.Consumers.Add(new PlannedPart("consumer", context => new Recorder("consumer", events, context)));
            kafka.Services.AddSingleton<IHostedService>(_ => new Witness(when =>
            {
                events.Enqueue($"service {when}");
                return Task.CompletedTask;
            }));
        });

        await host.StartAsync(Cancellation);
        await host.StopAsync(Cancellation);

        Assert.Equal(
            ["sweeper started", "service started", "consumer started", "consumer stopped, Delivered", "service stopped", "sweeper stopped, Delivered"],
            events);
    }

    [Fact]
    public async Task A_part_that_fails_to_stop_is_logged_and_keeps_no_other_from_being_drained()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("defect", 1, Cancellation);
        using var host = Hosts.Build(broker.BootstrapServers, kafka =>
        {
            kafka.AddProducer(configure: options => options with { Linger = TimeSpan.FromSeconds(30) });
            kafka.Plan.Consumers.Add(new PlannedPart("broken", context => new Recorder("broken", null, context)));
        });
        await host.StartAsync(Cancellation);
        var lingering = host.Producer().Send("defect", null, "value");

        await host.StopAsync(Cancellation);

        Assert.True((await lingering.WaitAsync(Deadline, Cancellation)).IsDelivered);
        Assert.Contains("broken", Assert.Single(host.Log().Of(1107)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_drain_is_shortened_to_what_is_left_of_the_shutdown_timeout_and_the_log_says_so()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("short", 1, Cancellation);
        using var host = Hosts.Build(
            broker.BootstrapServers, kafka => kafka.AddProducer(),
            services => services.PostConfigure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(2)));
        await host.StartAsync(Cancellation);
        broker.Faults.TakeDown();
        var stuck = Enumerable.Range(0, 10).Select(i => host.Producer().Send("short", "key", $"{i}")).ToList();

        var start = Stopwatch.GetTimestamp();
        await host.StopAsync(Cancellation);
        var took = Stopwatch.GetElapsedTime(start);

        Assert.All(await Producers.All(stuck), outcome => Assert.Equal(DeliveryStatus.Refused, outcome.Status));
        Assert.InRange(took, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4));
        Assert.Contains("shortened", Assert.Single(host.Log().Of(1104)), StringComparison.Ordinal);
        Assert.Contains("10 refused", Assert.Single(host.Log().Of(1106)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Violated_settings_fail_the_start_with_all_of_them_in_one_error()
    {
        using var host = Hosts.Build(
            null, kafka => kafka.AddProducer().AddProducer("odd", options => options with { MaxRecords = 0 }), null,
            ("KAFKA_SESSION_TIMEOUT_MS", "x"), ("Kafka:ProducerProperties:acks", "0"));

        var refused = await Assert.ThrowsAsync<KafkaSettingsException>(() => host.StartAsync(Cancellation));

        Assert.Equal(4, refused.Violations.Count);
        foreach (var part in new[] { "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SESSION_TIMEOUT_MS", "acks", "MaxRecords" })
            Assert.Contains(part, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_that_does_not_answer_is_no_failure_and_holds_the_start_up_for_five_seconds_at_most()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        using var host = Hosts.Build(broker.BootstrapServers, kafka => kafka.AddProducer().AddProducer("other"));

        var start = Stopwatch.GetTimestamp();
        await host.StartAsync(Cancellation);

        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.FromSeconds(4.5), TimeSpan.FromSeconds(10));
        Assert.Equal(2, host.Log().Of(1102).Count);
        await host.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Health_follows_the_broker_down_and_up()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("health", 1, Cancellation);
        using var host = Hosts.Build(
            broker.BootstrapServers, kafka => kafka.AddProducer().AddProducer("audit"), null, ("Kafka:Properties:reconnect.backoff.max.ms", "200"));
        await host.StartAsync(Cancellation);

        var healthy = await host.HealthAsync();
        broker.Faults.TakeDown();
        var down = await UntilHealth(host, HealthStatus.Unhealthy);
        broker.Faults.BringUp();
        await UntilHealth(host, HealthStatus.Healthy);

        Assert.Equal(["kafka", "kafka-audit"], healthy.Entries.Keys.Order());
        Assert.All(healthy.Entries.Values, entry => Assert.Equal((HealthStatus.Healthy, true), (entry.Status, entry.Tags.Contains("ready"))));
        Assert.Contains(broker.BootstrapServers, down.Entries["kafka"].Description, StringComparison.Ordinal);
        Assert.True((await host.Producer().Send("health", null, "value")).IsDelivered);
        Assert.Equal(HealthStatus.Healthy, (await host.HealthAsync()).Status);
        await host.StopAsync(Cancellation);
        Assert.Equal(HealthStatus.Unhealthy, (await UntilHealth(host, HealthStatus.Unhealthy)).Status);
    }

    [Fact]
    public async Task Loggers_that_throw_harm_neither_start_nor_sends_nor_stop()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("thrown", 1, Cancellation);
        using var host = Hosts.Build(
            broker.BootstrapServers, kafka => kafka.AddProducer(configure: options => options with { MaxRecords = 10, BacklogWarningShare = 0.1 }), null,
            ("Kafka:Properties:debug", "broker"), ("Kafka:ProducerProperties:message.timeout.ms", "30000"));
        host.Log().Throws = true;

        await host.StartAsync(Cancellation);
        var outcomes = await Producers.All(Enumerable.Range(0, 100).Select(i => host.Producer().Send("thrown", "k", $"{i}")));
        await host.StopAsync(Cancellation);

        Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered));
        Assert.NotEmpty(host.Log().Of(1001));
        Assert.NotEmpty(host.Log().Of(1005));
        Assert.NotEmpty(host.Log().Of(1103));
        Assert.NotEmpty(host.Log().Of(1105));
    }

    [Fact]
    public async Task Two_producers_of_one_name_are_refused_and_a_second_call_adds_to_the_first()
    {
        await using var broker = EmbeddedBroker.Start();
        using var host = Hosts.Build(
            broker.BootstrapServers, kafka => kafka.AddProducer("one"), services => services.AddEvenKeelKafka(kafka => kafka.AddProducer("two")));

        Assert.NotSame(host.Producer("one"), host.Producer("two"));
        Assert.Single(host.Services.GetServices<IHostedService>().OfType<KafkaLifetime>());
        Assert.Contains(
            "'default'",
            Assert.Throws<InvalidOperationException>(() => Hosts.Build(null, kafka => kafka.AddProducer().AddProducer())).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_come_from_the_section_named_and_code_changes_them()
    {
        await using var broker = EmbeddedBroker.Start();
        using var host = Hosts.Build(
            "nowhere:1",
            kafka => kafka.ReadSettingsFrom("Orders:Kafka").AddProducer()
                .ConfigureSettings(settings => settings with { RequestTimeout = TimeSpan.FromSeconds(7) }),
            null,
            ("Orders:Kafka:BootstrapServers", broker.BootstrapServers), ("Orders:Kafka:ProducerProperties:compression.type", "gzip"));

        var client = host.Producer().Client.Handle;

        Assert.Equal(broker.BootstrapServers, client.Setting("bootstrap.servers"));
        Assert.Equal("gzip", client.Setting("compression.type"));
    }

    [Fact]
    public async Task An_event_that_nobody_could_send_is_swept_up_while_the_host_runs_and_the_sweeper_ends_with_it()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("events", 1, Cancellation);
        var folder = Directory.CreateTempSubdirectory("evenkeel-hosted-events-").FullName;
        var left = new OutgoingEvent("events", "k"u8.ToArray(), "left"u8.ToArray());
        await using (var earlier = DiskEventRepository.Open(new DiskEventOptions { Directory = folder }))
            await earlier.RecordAsync(left, Cancellation);
        using var host = Hosts.Build(broker.BootstrapServers, kafka => kafka
            .AddProducer("outbox")
            .AddEventPublisher(
                _ => DiskEventRepository.Open(new DiskEventOptions { Directory = folder }), "outbox",
                options => options with { SweepPause = TimeSpan.FromMilliseconds(20) }));

        await host.StartAsync(Cancellation);
        var publisher = host.Services.GetRequiredService<EventPublisher>();
        await Until(() => publisher.Counters.Swept == 1, () => $"{publisher.Counters}");
        var published = await publisher.PublishAsync(new OutgoingEvent("events", "k"u8.ToArray(), "new"u8.ToArray()), Cancellation);
        await host.StopAsync(Cancellation);

        Assert.Equal(PublishStatus.Published, published.Status);
        Assert.Equal(["left", "new"], (await Producers.ReadAsync(broker, "events", 1, 2)).Select(record => record.Value));
        Assert.Empty(host.Log().Of(1107));
        host.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_spilling_producer_is_degraded_while_it_spills_and_leaves_the_rest_on_disk()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("spilled", 1, Cancellation);
        var folder = Directory.CreateTempSubdirectory("evenkeel-hosted-spill-").FullName;
        var spill = new SpillOptions
        {
            Directory = folder,
            Acknowledgement = SpillAcknowledgement.Disk,
            SpillAfter = TimeSpan.FromMilliseconds(200),
        };
        using var host = Hosts.Build(
            broker.BootstrapServers, kafka => kafka.AddSpillingProducer(spill),
            services => services.PostConfigure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(3)),
            ("Kafka:Properties:reconnect.backoff.max.ms", "200"));
        var producer = host.Services.GetRequiredService<IRecordProducer>();

        await host.StartAsync(Cancellation);
        Assert.Equal(HealthStatus.Healthy, (await host.HealthAsync()).Status);
        broker.Faults.TakeDown();
        var kept = await producer.SendAsync("spilled", "k", "1", null, Cancellation);
        var degraded = await UntilHealth(host, HealthStatus.Degraded);
        broker.Faults.BringUp();
        await UntilHealth(host, HealthStatus.Healthy);
        broker.Faults.TakeDown();
        var left = await producer.SendAsync("spilled", "k", "2", null, Cancellation);
        await host.StopAsync(Cancellation);

        Assert.Same(host.Services.GetRequiredService<SpillingProducer>(), producer);
        Assert.Equal((DeliveryStatus.Spilled, DeliveryStatus.Spilled), (kept.Status, left.Status));
        Assert.Equal("Spilling", degraded.Entries["kafka"].Data["state"]);
        Assert.NotEmpty(host.Log().Of(1007));
        Assert.Contains("left on disk", Assert.Single(host.Log().Of(1108)), StringComparison.Ordinal);
        host.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(10, 10, 30, 10, 10)]
    [InlineData(10, 10, 10, 5, 5)]
    [InlineData(10, 5, 3, 2, 1)]
    [InlineData(10, 10, 0, 0, 0)]
    public void Limits_that_do_not_fit_are_shortened_in_proportion(int flush, int stragglers, int all, int fitFlush, int fitStragglers)
    {
        var limits = StopBudget.Fit(
            new DrainLimits { Flush = TimeSpan.FromSeconds(flush), Stragglers = TimeSpan.FromSeconds(stragglers) }, TimeSpan.FromSeconds(all));

        Assert.Equal((TimeSpan.FromSeconds(fitFlush), TimeSpan.FromSeconds(fitStragglers)), (limits.Flush, limits.Stragglers));
    }

    private static async Task<HealthReport> UntilHealth(IHost host, HealthStatus status)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var report = await host.HealthAsync();
            if (report.Status == status)
                return report;
            if (Stopwatch.GetElapsedTime(start) > Deadline)
                throw new TimeoutException($"The health was {report.Status} after {Deadline}, not {status}.");
        }
    }

    private sealed class Recorder(string name, ConcurrentQueue<string>? events, PartContext context) : HostedPart(name)
    {
        public override Task StartAsync(CancellationToken cancellationToken)
        {
            events?.Enqueue($"{Name} started");
            return Task.CompletedTask;
        }

        public override async Task StopAsync(TimeSpan? limit, CancellationToken hurry)
        {
            if (events is null)
                throw new InvalidOperationException("This part is broken.");
            var outcome = await context.Provider.GetRequiredService<IRecordProducer>().SendAsync("stages", "k", Name, null, hurry);
            events.Enqueue($"{Name} stopped, {outcome.Status}");
        }
    }
}
