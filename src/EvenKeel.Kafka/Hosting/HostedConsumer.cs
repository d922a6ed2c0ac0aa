using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Hosting;

/// <summary>A consumer that a host owns.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The stop ends it; the host has nothing else to dispose of.")]
internal sealed class HostedConsumer : HostedPart
{
    private readonly ClientSettings _settings;
    private readonly ConsumerOptions _options;
    private readonly ConsumerSubscription _subscription;
    private readonly PartContext _context;
    private readonly ILogger _logger;
    private volatile ReliableConsumer? _consumer;

    public HostedConsumer(
        string name, PartContext context, ConsumerSubscription subscription, Func<ConsumerOptions, ConsumerOptions>? configure)
        : base(name)
    {
        _context = context;
        _subscription = subscription;
        _logger = context.Observation.Logger;
        _settings = context.Settings.ForConsumer();
        _options = OptionsOf(_settings, subscription.GroupId, subscription.Topics);
        _options = configure?.Invoke(_options) ?? _options;
    }

    /// <exception cref="InvalidOperationException">The host has not started it.</exception>
    public ReliableConsumer Consumer =>
        _consumer ?? throw new InvalidOperationException($"Kafka consumer '{Name}' begins when everything that is hosted has started.");

    public override IReadOnlyList<string> Violations =>
        _settings.Violations.Count > 0
            ? _settings.Violations
            : [.. _options.Validate().Select(violation => $"Consumer {Name}: {violation}")];

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var note in _settings.Notes)
            HostingLog.Note(_logger, Name, note);
        var options = _options;
        if (_subscription.DeadLetterTopic is { } topic)
        {
            var producer = _subscription.DeadLetterProducer is { } key
                ? _context.Provider.GetRequiredKeyedService<IRecordProducer>(key)
                : _context.Provider.GetRequiredService<IRecordProducer>();
            options = options with { Failures = options.Failures with { DeadLetters = new DeadLetterOptions(topic, producer) } };
        }
        _consumer = new ReliableConsumer(
            options, _subscription.Handler(_context.Provider), (_, notice) => ConsumerLog.Write(_logger, Name, notice),
            _subscription.Store?.Invoke(_context.Provider));
        return Task.CompletedTask;
    }

    public override async Task StopAsync(TimeSpan? limit, CancellationToken hurry)
    {
        if (_consumer is not { } consumer)
            return;
        var within = limit is { } all && all < _options.Deadlines.Close ? all : _options.Deadlines.Close;
        var report = await consumer.StopAsync(within, hurry).ConfigureAwait(false);
        if (report is { LeftGroup: true, IsCommitted: true, AbandonedRecords: 0 })
            HostingLog.ConsumerStopped(_logger, Name, report.Elapsed);
        else
            HostingLog.ConsumerGaveUp(_logger, Name, report.AbandonedRecords, report.IsCommitted, report.LeftGroup, report.Elapsed);
    }

    /// <summary>Unhealthy when it cannot go on; degraded while it has no partitions or is too far behind.</summary>
    public HealthCheckResult CheckHealth()
    {
        if (_consumer is not { } consumer)
            return HealthCheckResult.Unhealthy($"Consumer {Name} has not begun.");
        var (counters, positions, busy) = (consumer.Counters, consumer.Positions(), consumer.LongestBusy);
        var numbers = new Dictionary<string, object>
        {
            ["done"] = counters.Done,
            ["inHand"] = counters.InHand,
            ["deadLetters"] = counters.DeadLetters,
            ["partitions"] = positions.Count,
            ["lag"] = positions.Sum(position => position.Lag ?? 0),
        };
        if (consumer.Ended.IsCompleted)
            return HealthCheckResult.Unhealthy($"Consumer {Name} has ended.", consumer.Ended.Exception?.InnerException, numbers);
        if (consumer.IsFailing)
            return HealthCheckResult.Unhealthy($"Consumer {Name}: the handler fails for one record after another.", data: numbers);
        if (busy > _subscription.StuckAfter)
        {
            return HealthCheckResult.Unhealthy(
                $"Consumer {Name}: a handler has been busy for {busy}, longer than {_subscription.StuckAfter} (StuckAfter).",
                data: numbers);
        }
        if (positions.Count == 0)
            return HealthCheckResult.Degraded($"Consumer {Name} has no partitions assigned.", data: numbers);
        return positions.FirstOrDefault(position => position.Lag > _subscription.MaxLag) is { } late
            ? HealthCheckResult.Degraded(
                $"Consumer {Name}: {late.Partition} is {late.Lag} records behind, more than {_subscription.MaxLag} (MaxLag).",
                data: numbers)
            : HealthCheckResult.Healthy($"Consumer {Name} reads {positions.Count} partitions.", numbers);
    }

    /// <summary>The settings' properties, those that are options here as options.</summary>
    internal static ConsumerOptions OptionsOf(ClientSettings settings, string groupId, IReadOnlyList<string> topics)
    {
        var properties = new Dictionary<string, string>(settings.Properties);
        var options = new ConsumerOptions
        {
            BootstrapServers = settings.BootstrapServers,
            GroupId = groupId,
            Topics = topics,
        };
        if (properties.Remove("group.protocol", out var protocol) && protocol == "consumer")
            options = options with { Protocol = GroupProtocol.Consumer };
        if (properties.Remove("auto.offset.reset", out var start))
        {
            options = options with
            {
                StartAt = start switch
                {
                    "latest" or "largest" or "end" => StartAt.Latest,
                    "error" => StartAt.Fail,
                    _ => StartAt.Earliest,
                },
            };
        }
        return options with { Properties = properties };
    }
}
