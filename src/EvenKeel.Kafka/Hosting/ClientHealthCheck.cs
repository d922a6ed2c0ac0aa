using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EvenKeel.Kafka.Hosting;

/// <summary>A client's word on its health, as the host asks for it.</summary>
internal sealed class ClientHealthCheck(Func<CancellationToken, Task<HealthCheckResult>> check) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        check(cancellationToken);
}
