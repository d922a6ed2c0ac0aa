using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Telemetry;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Hosting;

/// <summary>A producer that a host owns.</summary>
internal sealed class HostedProducer : HostedPart
{
    private readonly ProducerSettings _settings;
    private readonly ILogger _logger;
    private readonly BrokerReach _reach;
    private readonly Lazy<ReliableProducer> _producer;

    public HostedProducer(string name, PartContext context, Func<ProducerOptions, ProducerOptions>? configure)
        : base(name)
    {
        _settings = context.Settings.ForProducer(configure);
        _logger = context.Observation.Logger;
        _reach = new BrokerReach(
            (limit, stop) => Producer.WarmUpAsync([], limit, stop), () => Producer.Counters.Delivered);
        _producer = new Lazy<ReliableProducer>(
            () => new ReliableProducer(
                _settings.ThrowIfViolated().Options, undelivered: null,
                new ProducerObserver(name, context.Observation.Meter, TakeNotice)));
    }

    /// <summary>Created when it is first asked for: by the start, or by a constructor before it.</summary>
    public ReliableProducer Producer => _producer.Value;

    public override IReadOnlyList<string> Violations => _settings.Violations;

    public override Task StartAsync(CancellationToken cancellationToken) =>
        _reach.StartAsync(Name, _settings, _logger, cancellationToken);

    public override async Task StopAsync(TimeSpan? limit, CancellationToken hurry)
    {
        if (!_producer.IsValueCreated)
            return;
        var limits = _settings.Options.Drain;
        if (limit is { } all && StopBudget.Fit(limits, all) is var fitting && fitting != limits)
        {
            HostingLog.DrainShortened(_logger, Name, limits.Flush, limits.Stragglers, fitting.Flush, fitting.Stragglers);
            limits = fitting;
        }
        var report = await Producer.DrainAsync(limits, keepLeftovers: false, hurry).ConfigureAwait(false);
        if (report.IsClean)
            HostingLog.Drained(_logger, Name, report.Delivered, report.Elapsed);
        else
            HostingLog.DrainLeft(_logger, Name, report.Delivered, report.Refused, report.Unknown, report.Elapsed);
    }

    /// <summary>Healthy while records are delivered or a broker answers.</summary>
    public async Task<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken)
    {
        var (isReached, why) = await _reach.AskAsync(cancellationToken).ConfigureAwait(false);
        var counters = Producer.Counters;
        var numbers = new Dictionary<string, object>
        {
            ["backlog"] = counters.Backlog,
            ["delivered"] = counters.Delivered,
            ["refused"] = counters.Refused,
            ["unknown"] = counters.Unknown,
        };
        return isReached
            ? HealthCheckResult.Healthy($"Producer {Name} reaches the cluster.", numbers)
            : HealthCheckResult.Unhealthy(
                $"Producer {Name} reaches no broker of {_settings.Options.BootstrapServers}: {why}", data: numbers);
    }

    private void TakeNotice(object? sender, ProducerNotice notice)
    {
        _reach.Take(notice);
        ProducerLog.Write(_logger, Name, notice);
    }
}
