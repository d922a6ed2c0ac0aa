using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace EvenKeel.Kafka.Hosting;

/// <summary>
/// Starts and stops a host's clients around everything else that it hosts: the producers are there before any other hosted service starts
/// and are drained when all have stopped; the consumers begin when all have started and stop before any other does.
/// </summary>
internal sealed class KafkaLifetime(HostedClients clients, IOptions<HostOptions> options) : IHostedLifecycleService
{
    private StopBudget? _stop;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        // 1. The producers, all at once: each waits for its broker.
        await StartAllAsync(clients.Producers, cancellationToken).ConfigureAwait(false);

        // 2. What sends through them by itself.
        await StartAllAsync(clients.Senders, cancellationToken).ConfigureAwait(false);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // 3. The consumers, whose handlers may use everything that is hosted.
    public Task StartedAsync(CancellationToken cancellationToken) => StartAllAsync(clients.Consumers, cancellationToken);

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        // 4. The consumers stop first: what their handlers send is still accepted.
        _stop = new StopBudget(options.Value, TimeProvider.System);
        return StopAllAsync(clients.Consumers, _stop.ForEarlier, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        // 5. Nothing else that is hosted runs any more. What sends by itself stops, then the producers bring out what they have.
        _stop ??= new StopBudget(options.Value, TimeProvider.System);
        await StopAllAsync(clients.Senders, _stop.ForEarlier, cancellationToken).ConfigureAwait(false);
        await StopAllAsync(clients.Producers, _stop.Left, cancellationToken).ConfigureAwait(false);
    }

    // Awaited together; the first error is the start's: one refusal of the same credentials says as much as five.
    private static Task StartAllAsync(IReadOnlyList<HostedPart> parts, CancellationToken cancellationToken) =>
        Task.WhenAll(parts.Select(part => part.StartAsync(cancellationToken)));

    private async Task StopAllAsync(IReadOnlyList<HostedPart> parts, TimeSpan? limit, CancellationToken hurry) =>
        await Task.WhenAll(parts.Select(part => StopOneAsync(part, limit, hurry))).ConfigureAwait(false);

    private async Task StopOneAsync(HostedPart part, TimeSpan? limit, CancellationToken hurry)
    {
        try
        {
            await part.StopAsync(limit, hurry).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // A defect of one client must not keep the others from being drained; it is in the log.
        catch (Exception defect)
        {
            HostingLog.StopFailed(clients.Observation.Logger, part.Name, defect);
        }
#pragma warning restore CA1031
    }
}
