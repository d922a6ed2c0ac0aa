using EvenKeel.Kafka.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace EvenKeel.Kafka.Hosting;

/// <summary>The clients of one host, made from its plan; none exists while any setting is violated.</summary>
internal sealed class HostedClients
{
    public HostedClients(HostPlan plan, IServiceProvider provider)
    {
        Observation = HostObservation.Of(provider);
        Settings = plan.SettingChanges.Aggregate(
            KafkaSettings.Read(provider.GetService<IConfiguration>() ?? new ConfigurationManager(), plan.Section),
            (settings, change) => change(settings));
        var context = new PartContext(provider, Settings, Observation);
        Producers = [.. plan.Producers.Select(part => part.Create(context))];
        Senders = [.. plan.Senders.Select(part => part.Create(context))];
        Consumers = [.. plan.Consumers.Select(part => part.Create(context))];

        // What is set is checked whole, though this host may have no client of the kind that it is for.
        KafkaSettingsException.ThrowIfAny(
            Settings.ForConsumer().Violations.Concat(Producers.Concat(Senders).Concat(Consumers).SelectMany(part => part.Violations)));
    }

    public KafkaSettings Settings { get; }

    public HostObservation Observation { get; }

    public IReadOnlyList<HostedPart> Producers { get; }

    public IReadOnlyList<HostedPart> Senders { get; }

    public IReadOnlyList<HostedPart> Consumers { get; }

    public HostedSweeper Sweeper => Senders.OfType<HostedSweeper>().Single();

    public T Producer<T>(string name)
        where T : HostedPart => Producers.OfType<T>().Single(producer => producer.Name == name);
}
