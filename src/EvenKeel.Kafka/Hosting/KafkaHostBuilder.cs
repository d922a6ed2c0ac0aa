using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Publishing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Spilling;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EvenKeel.Kafka.Hosting;

/// <summary>Says which Kafka clients a host has.</summary>
public sealed class KafkaHostBuilder
{
    private const string DefaultName = "default";
    private const string PublisherName = "event publisher";
    private readonly HostPlan _plan;

    internal KafkaHostBuilder(IServiceCollection services, HostPlan plan)
    {
        Services = services;
        _plan = plan;
    }

    /// <summary>The host's, for what builds on the clients.</summary>
    public IServiceCollection Services { get; }

    internal HostPlan Plan => _plan;

    /// <summary>Reads another section than <c>Kafka</c>.</summary>
    /// <param name="section">Its path.</param>
    /// <returns>This builder.</returns>
    public KafkaHostBuilder ReadSettingsFrom(string section)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(section);
        _plan.Section = section;
        return this;
    }

    /// <summary>Changes the settings of all clients in code, which wins over configuration.</summary>
    /// <param name="change">Gets the settings as they were read.</param>
    /// <returns>This builder.</returns>
    public KafkaHostBuilder ConfigureSettings(Func<KafkaSettings, KafkaSettings> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        _plan.SettingChanges.Add(change);
        return this;
    }

    /// <summary>
    /// Adds a producer, which the container then has as <see cref="ReliableProducer"/> and <see cref="IRecordProducer"/>; with a name,
    /// under that key. The host drains it: do not dispose of it.
    /// </summary>
    /// <param name="name">Null: the one without a key.</param>
    /// <param name="configure">Changes the options that come from the settings.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">There is a producer of this name.</exception>
    public KafkaHostBuilder AddProducer(string? name = null, Func<ProducerOptions, ProducerOptions>? configure = null)
    {
        PlanProducer(name, (context, label) => new HostedProducer(label, context, configure));
        Register<ReliableProducer>(name, clients => clients.Producer<HostedProducer>(name ?? DefaultName).Producer);
        AddHealthCheck(name, clients => clients.Producer<HostedProducer>(name ?? DefaultName).CheckHealthAsync);
        return this;
    }

    /// <summary>
    /// Adds a producer that keeps records on disk while Kafka is away, which the container then has as <see cref="SpillingProducer"/> and
    /// <see cref="IRecordProducer"/>; with a name, under that key. The host drains it: do not dispose of it.
    /// </summary>
    /// <param name="spill">How it keeps; each has a folder of its own.</param>
    /// <param name="name">Null: the one without a key.</param>
    /// <param name="configure">Changes the options that come from the settings.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">There is a producer of this name.</exception>
    public KafkaHostBuilder AddSpillingProducer(
        SpillOptions spill, string? name = null, Func<ProducerOptions, ProducerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(spill);
        PlanProducer(name, (context, label) => new HostedSpillingProducer(label, context, spill, configure));
        Register<SpillingProducer>(name, clients => clients.Producer<HostedSpillingProducer>(name ?? DefaultName).Producer);
        AddHealthCheck(name, clients => clients.Producer<HostedSpillingProducer>(name ?? DefaultName).CheckHealthAsync);
        return this;
    }

    /// <summary>
    /// Adds an <see cref="EventPublisher"/> over a producer of this host and an <see cref="IEventRepository"/> of the container, and runs
    /// its sweeper. The container disposes of the repository.
    /// </summary>
    /// <param name="repository">Opens the repository; null: the container has one already.</param>
    /// <param name="producer">The name of the producer; null: the one without.</param>
    /// <param name="configure">Changes the publisher's options.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">There is a publisher.</exception>
    public KafkaHostBuilder AddEventPublisher(
        Func<IServiceProvider, IEventRepository>? repository = null, string? producer = null,
        Func<EventPublisherOptions, EventPublisherOptions>? configure = null)
    {
        if (_plan.Senders.Any(sender => sender.Name == PublisherName))
            throw new InvalidOperationException("This host has an event publisher already: one is shared by all who publish.");
        if (repository is not null)
            Services.AddSingleton(repository);
        _plan.Senders.Add(new PlannedPart(PublisherName, context => new HostedSweeper(PublisherName, context, producer, configure)));
        Services.AddSingleton(provider => provider.GetRequiredService<HostedClients>().Sweeper.Publisher);
        return this;
    }

    /// <summary>
    /// Adds a consumer, which begins when everything that is hosted has started and stops before any of it does; the container has it
    /// under its name as a key.
    /// </summary>
    /// <param name="name">As it is called in the log and in the container.</param>
    /// <param name="subscription">What it reads, and what does the work.</param>
    /// <param name="configure">Changes the options that come from the settings.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">There is a consumer of this name.</exception>
    public KafkaHostBuilder AddConsumer(
        string name, ConsumerSubscription subscription, Func<ConsumerOptions, ConsumerOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(subscription);
        if (_plan.Consumers.Any(consumer => consumer.Name == name))
            throw new InvalidOperationException($"This host has a Kafka consumer '{name}' already: give one of them another name.");
        _plan.Consumers.Add(new PlannedPart(name, context => new HostedConsumer(name, context, subscription, configure)));
        Services.AddKeyedSingleton(name, (provider, _) => Find(provider.GetRequiredService<HostedClients>()).Consumer);
        AddHealthCheck(name, clients => _ => Task.FromResult(Find(clients).CheckHealth()));
        return this;

        HostedConsumer Find(HostedClients clients) =>
            clients.Consumers.OfType<HostedConsumer>().Single(consumer => consumer.Name == name);
    }

    /// <summary>Adds a producer of any kind to what the host starts first and drains last.</summary>
    internal void PlanProducer(string? name, Func<PartContext, string, HostedPart> create)
    {
        var label = name ?? DefaultName;
        if (name is not null)
            ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (_plan.Producers.Any(producer => producer.Name == label))
        {
            throw new InvalidOperationException(
                $"This host has a Kafka producer '{label}' already: give one of them another name, which is its key in the container.");
        }
        _plan.Producers.Add(new PlannedPart(label, context => create(context, label)));
    }

    /// <summary>Lets the container give out a producer that the host owns.</summary>
    internal void Register<T>(string? name, Func<HostedClients, T> find)
        where T : class, IRecordProducer
    {
        if (name is null)
        {
            Services.AddSingleton(provider => find(provider.GetRequiredService<HostedClients>()));
            Services.AddSingleton<IRecordProducer>(provider => provider.GetRequiredService<T>());
        }
        else
        {
            Services.AddKeyedSingleton(name, (provider, _) => find(provider.GetRequiredService<HostedClients>()));
            Services.AddKeyedSingleton<IRecordProducer>(name, (provider, _) => provider.GetRequiredKeyedService<T>(name));
        }
    }

    /// <summary>A health check that is there once somebody calls AddHealthChecks.</summary>
    internal void AddHealthCheck(string? name, Func<HostedClients, Func<CancellationToken, Task<HealthCheckResult>>> check) =>
        Services.Configure<HealthCheckServiceOptions>(options => options.Registrations.Add(new HealthCheckRegistration(
            name is null ? "kafka" : $"kafka-{name}",
            provider => new ClientHealthCheck(check(provider.GetRequiredService<HostedClients>())),
            failureStatus: null,
            tags: ["kafka", "ready"])));
}
