using EvenKeel.Testing.Workers;
using EvenKeel.Testing.XunitV3;
using EvenKeel.Testing.XunitV3.Tests;

[assembly: UseKafkaKit(typeof(KitSetup))]

namespace EvenKeel.Testing.XunitV3.Tests;

/// <summary>The kit of these tests; a child process gets its options from its environment.</summary>
internal sealed class KitSetup : IKitSetup
{
    public const string PerTest = "TEST_WORKER_PER_TEST";
    public const string FailsOnLeaks = "TEST_FAILS_ON_LEAKS";
    public const string KafkaTestsAtOnce = "TEST_KAFKA_TESTS_AT_ONCE";
    public const string GateLimitMs = "TEST_GATE_LIMIT_MS";

    public KitOptions Configure() => new()
    {
        Run = new TestRunOptions { NamePrefix = "kit-test", OwnsTempFolder = Environment.GetEnvironmentVariable(FailsOnLeaks) is not null },
        OnLeaks = Environment.GetEnvironmentVariable(FailsOnLeaks) is null ? LeakAnswer.Tell : LeakAnswer.Fail,
        LooksForLeaksAfterEachTest = Environment.GetEnvironmentVariable(FailsOnLeaks) is "exactly",
        WorkerPerTest = Environment.GetEnvironmentVariable(PerTest) is not null,
        MaxKafkaTestsAtOnce = Environment.GetEnvironmentVariable(KafkaTestsAtOnce) is { } text ? int.Parse(text, null) : int.MaxValue,
        GateLimit = Environment.GetEnvironmentVariable(GateLimitMs) is { } limit
            ? TimeSpan.FromMilliseconds(int.Parse(limit, null))
            : new KitOptions().GateLimit,
    };
}
