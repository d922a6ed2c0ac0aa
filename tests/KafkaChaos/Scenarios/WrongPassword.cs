using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Producing;
using KafkaChaos.Clusters;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KafkaChaos.Scenarios;

/// <summary>A wrong password: the start of a host fails with one clear error, soon; with the right one it starts and sends.</summary>
internal static class WrongPassword
{
    private const string User = "client";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using var cluster = await RealCluster.StartAsync(KafkaHome.Require(), cancellation, "--sasl");
        await cluster.CreateTopicAsync("password", 1, cancellation);

        // 1. The right one gets through.
        using (var host = Build(cluster, "client-secret"))
        {
            await host.StartAsync(cancellation);
            var producer = host.Services.GetRequiredService<IRecordProducer>();
            var outcome = await producer.SendAsync("password", "key-0", "0.", cancellationToken: cancellation);
            verdict.Check(outcome.IsDelivered, $"with the right password: {outcome}");
            await host.StopAsync(cancellation);
        }

        // 2. The wrong one is refused, in words that tell so.
        using var refused = Build(cluster, "wrong-secret");
        var start = Stopwatch.GetTimestamp();
        var thrown = (KafkaException?)null;
        try
        {
            await refused.StartAsync(cancellation);
            verdict.Violated($"the host started with a wrong password");
        }
        catch (KafkaException failed)
        {
            thrown = failed;
        }
        var took = Stopwatch.GetElapsedTime(start);
        verdict.Say($"a wrong password: {thrown?.Code} after {took.TotalSeconds:0.0} s: {thrown?.Message}");
        verdict.Check(
            thrown?.Code is KafkaErrorCode.AuthenticationFailed or KafkaErrorCode.SaslAuthenticationFailed, $"the error is {thrown}");
        verdict.Check(thrown?.Message.Contains($"'{User}'", StringComparison.Ordinal) == true, $"the error does not name the user: {thrown}");
        verdict.Check(thrown?.Message.Contains("wrong-secret", StringComparison.Ordinal) == false, $"the error tells the password: {thrown}");
        verdict.Check(took < Limit, $"the error took {took}");
    }

    /// <summary>A producer of the user <c>client</c>.</summary>
    public static ProducerOptions Options(RealCluster cluster, string password) => new()
    {
        BootstrapServers = cluster.BootstrapServers,
        Properties = Login(User, password),
    };

    /// <summary>librdkafka's settings of a login.</summary>
    public static Dictionary<string, string> Login(string user, string password) => new()
    {
        ["security.protocol"] = "SASL_PLAINTEXT",
        ["sasl.mechanisms"] = "PLAIN",
        ["sasl.username"] = user,
        ["sasl.password"] = password,
    };

    private static IHost Build(RealCluster cluster, string password)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection([new("Kafka:BootstrapServers", cluster.BootstrapServers)]);
        builder.Services.AddEvenKeelKafka(kafka => kafka
            .ConfigureSettings(settings => settings with { Properties = Login(User, password) })
            .AddProducer());
        return builder.Build();
    }
}
