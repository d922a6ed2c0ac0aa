using Microsoft.Extensions.DependencyInjection;

namespace EvenKeel.Kafka.Hosting;

/// <summary>Kafka clients as parts of a generic host, which starts, watches and stops them.</summary>
public static class KafkaHosting
{
    /// <summary>
    /// Adds Kafka clients with settings from the host's configuration (<see cref="EvenKeel.Kafka.Settings.KafkaSettings.Read"/>).
    /// </summary>
    /// <remarks>
    /// <para>Producers start before every other hosted service and are drained after all of them have stopped, whatever the order of
    /// registration; consumers the other way round. The stop fits into <c>HostOptions.ShutdownTimeout</c>.</para>
    /// <para>The start fails when settings are violated, naming all violations, and when a broker refuses the credentials. It waits at
    /// most 5 s for a broker; none that answers is an outage, not a failure. Health checks are there once <c>AddHealthChecks</c> is
    /// called: one a producer, tagged <c>kafka</c> and <c>ready</c>.</para>
    /// </remarks>
    /// <param name="services">The host's.</param>
    /// <param name="configure">Says which clients; called again for the same host, it adds to them.</param>
    /// <returns>The same collection.</returns>
    public static IServiceCollection AddEvenKeelKafka(this IServiceCollection services, Action<KafkaHostBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        var plan = services
            .Select(service => service.IsKeyedService ? null : service.ImplementationInstance)
            .OfType<HostPlan>().FirstOrDefault();
        if (plan is null)
        {
            plan = new HostPlan();
            services.AddSingleton(plan);
            services.AddSingleton<HostedClients>();
            services.AddHostedService<KafkaLifetime>();
        }
        configure(new KafkaHostBuilder(services, plan));
        return services;
    }
}
