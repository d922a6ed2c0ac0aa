using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Producing;
using KafkaChaos.Clusters;

namespace KafkaChaos.Scenarios;

/// <summary>A wrong password: one clear error at the start, well before the limit, and none with the right one.</summary>
internal static class WrongPassword
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static async Task RunAsync(ScenarioRun run)
    {
        var (verdict, cancellation) = (run.Verdict, run.Cancellation);
        await using var cluster = await RealCluster.StartAsync(KafkaHome.Require(), cancellation, "--sasl");
        await cluster.CreateTopicAsync("password", 1, cancellation);

        // 1. The right one gets through.
        await using (var producer = new ReliableProducer(Options(cluster, "client-secret")))
        {
            await producer.WarmUpAsync(["password"], Limit, cancellation);
            var outcome = await producer.SendAsync("password", "key-0", "0.", cancellationToken: cancellation);
            verdict.Check(outcome.IsDelivered, $"with the right password: {outcome}");
        }

        // 2. The wrong one is refused, in words that tell so.
        await using var refused = new ReliableProducer(Options(cluster, "wrong-secret"));
        var start = Stopwatch.GetTimestamp();
        var message = "it connected";
        var code = KafkaErrorCode.None;
        try
        {
            await refused.WarmUpAsync(["password"], Limit, cancellation);
        }
        catch (KafkaException thrown)
        {
            (code, message) = (thrown.Code, thrown.Message);
        }
        var took = Stopwatch.GetElapsedTime(start);
        verdict.Say($"a wrong password: {code} after {took.TotalSeconds:0.0} s: {message}");
        verdict.Check(
            code is KafkaErrorCode.AuthenticationFailed or KafkaErrorCode.SaslAuthenticationFailed, $"the error is {code}: {message}");
        verdict.Check(message.Contains("uthentication", StringComparison.Ordinal), $"the error does not name the cause: {message}");
        verdict.Check(took < Limit / 2, $"the error took {took}");
    }

    /// <summary>A producer of the user <c>client</c>.</summary>
    public static ProducerOptions Options(RealCluster cluster, string password) => new()
    {
        BootstrapServers = cluster.BootstrapServers,
        Properties = Login("client", password),
    };

    /// <summary>librdkafka's settings of a login.</summary>
    public static Dictionary<string, string> Login(string user, string password) => new()
    {
        ["security.protocol"] = "SASL_PLAINTEXT",
        ["sasl.mechanisms"] = "PLAIN",
        ["sasl.username"] = user,
        ["sasl.password"] = password,
    };
}
