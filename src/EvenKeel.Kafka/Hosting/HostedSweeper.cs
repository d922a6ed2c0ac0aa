using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Hosting;

/// <summary>An event publisher with its sweeper, which a host runs between its producers and everything else.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "A source whose wait handle nobody asks for holds nothing to dispose of.")]
internal sealed class HostedSweeper : HostedPart
{
    private readonly ILogger _logger;
    private readonly EventPublisherOptions _options;
    private readonly Lazy<EventPublisher> _publisher;
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    /// <param name="name">As it is called in the log.</param>
    /// <param name="context">The host.</param>
    /// <param name="producer">The key of the producer that it sends through; null: the one without.</param>
    /// <param name="configure">Changes its options.</param>
    public HostedSweeper(string name, PartContext context, string? producer, Func<EventPublisherOptions, EventPublisherOptions>? configure)
        : base(name)
    {
        _logger = context.Observation.Logger;
        _options = configure?.Invoke(new EventPublisherOptions()) ?? new EventPublisherOptions();
        _publisher = new Lazy<EventPublisher>(() => Create(context.Provider, producer));
    }

    public EventPublisher Publisher => _publisher.Value;

    public override IReadOnlyList<string> Violations => [.. _options.Validate().Select(violation => $"Event publisher: {violation}")];

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        var sweeper = new EventSweeper(Publisher);
        _running = Task.Run(() => sweeper.RunAsync(_stop.Token), CancellationToken.None);
        return Task.CompletedTask;
    }

    public override async Task StopAsync(TimeSpan? limit, CancellationToken hurry)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.WaitAsync(limit ?? Timeout.InfiniteTimeSpan, hurry).ConfigureAwait(false);
    }

    private EventPublisher Create(IServiceProvider provider, string? producer)
    {
        var publisher = new EventPublisher(
            provider.GetRequiredService<IEventRepository>(),
            producer is null
                ? provider.GetRequiredService<IRecordProducer>()
                : provider.GetRequiredKeyedService<IRecordProducer>(producer),
            _options);
        publisher.Noticed += (_, notice) => HostingLog.Event(
            _logger, notice.Kind == EventNoticeKind.Damaged ? LogLevel.Error : LogLevel.Warning, notice.Kind, notice.Text,
            notice.Exception);
        return publisher;
    }
}
