using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Kafka.Telemetry;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Hosting;

/// <summary>A spilling producer that a host owns.</summary>
internal sealed class HostedSpillingProducer : HostedPart
{
    private readonly ProducerSettings _settings;
    private readonly IReadOnlyList<string> _violations;
    private readonly ILogger _logger;
    private readonly BrokerReach _reach;
    private readonly Lazy<SpillingProducer> _producer;

    public HostedSpillingProducer(
        string name, PartContext context, SpillOptions spill, Func<ProducerOptions, ProducerOptions>? configure)
        : base(name)
    {
        _settings = context.Settings.ForProducer(configure);
        _violations = [.. _settings.Violations.Concat(SpillClients.Validate(_settings.Options, spill)).Distinct()];
        _logger = context.Observation.Logger;
        _reach = new BrokerReach(AskAsync, () => Producer.Counters.Direct);
        _producer = new Lazy<SpillingProducer>(() =>
        {
            KafkaSettingsException.ThrowIfAny(_violations);
            return new SpillingProducer(_settings.Options, spill, new ProducerObserver(name, context.Observation.Meter, TakeNotice));
        });
    }

    /// <summary>Created when it is first asked for: by the start, or by a constructor before it.</summary>
    public SpillingProducer Producer => _producer.Value;

    public override IReadOnlyList<string> Violations => _violations;

    public override Task StartAsync(CancellationToken cancellationToken) =>
        _reach.StartAsync(Name, _settings, _logger, cancellationToken);

    public override async Task StopAsync(TimeSpan? limit, CancellationToken hurry)
    {
        if (!_producer.IsValueCreated)
            return;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(hurry);
        var limits = _settings.Options.Drain;
        if (limit is { } all && StopBudget.Fit(limits, all) is var fitting && fitting != limits)
        {
            HostingLog.DrainShortened(_logger, Name, limits.Flush, limits.Stragglers, fitting.Flush, fitting.Stragglers);
            stop.CancelAfter(all);
        }
        var report = await Producer.DrainAsync(stop.Token).ConfigureAwait(false);
        if (report is { Refused: 0, Unknown: 0, LeftInSpill: 0 })
            HostingLog.Drained(_logger, Name, report.Delivered, report.Elapsed);
        else
            HostingLog.SpillLeft(_logger, Name, report.Delivered, report.LeftInSpill, report.Refused, report.Unknown);
    }

    /// <summary>Degraded while records go to the spill: each of them is kept, and none is in Kafka yet.</summary>
    public Task<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken)
    {
        var (state, counters) = (Producer.State, Producer.Counters);
        var numbers = new Dictionary<string, object>
        {
            ["state"] = state.ToString(),
            ["spilled"] = counters.SpillRecords,
            ["spilledBytes"] = counters.SpillBytes,
            ["heldTopics"] = counters.HeldTopics,
            ["deadLetters"] = counters.DeadLetters,
        };
        return Task.FromResult(state == SpillState.Spilling
            ? HealthCheckResult.Degraded(
                $"Producer {Name} keeps records on disk until Kafka takes them: {counters.SpillRecords} so far.", data: numbers)
            : HealthCheckResult.Healthy($"Producer {Name} sends to Kafka.", numbers));
    }

    private Task AskAsync(TimeSpan limit, CancellationToken stop) =>
        Producer.State == SpillState.Spilling
            ? throw new KafkaException(KafkaErrorCode.Transport, "Kafka is away; records go to the spill.")
            : Producer.WarmUpAsync([], limit, stop);

    private void TakeNotice(object? sender, ProducerNotice notice)
    {
        _reach.Take(notice);
        ProducerLog.Write(_logger, Name, notice);
    }
}
