using EvenKeel.Kafka.Producing;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Isolation;
using EvenKeel.Testing.Topics;
using EvenKeel.Testing.Workers;
using Xunit;
using Xunit.v3;

namespace EvenKeel.Testing.XunitV3;

/// <summary>
/// What tests and fixtures ask for Kafka: the cluster of the assembly, and the topics and consumers of the worker that the calling test
/// runs on. Everything is made when it is first asked for, and used again by the tests that come after.
/// </summary>
public static class KafkaKit
{
    /// <summary>The worker that the calling test runs on, or its class, in a fixture.</summary>
    public static TestWorker Worker => KitRun.Current.Worker;

    /// <summary>Everything of this test process.</summary>
    public static TestRun Run => KitRun.Current.Run;

    /// <summary>Where clients of the service under test connect.</summary>
    /// <exception cref="InvalidOperationException">
    /// The cluster is not started yet: mark the test <see cref="KafkaTestAttribute"/>, or await a topic first.
    /// </exception>
    public static string BootstrapServers => Started.BootstrapServers;

    /// <summary>The producer that all tests share: it sends at once.</summary>
    public static IRecordProducer Producer => Started.Producer;

    /// <summary>What can be made to go wrong; on a real broker, which has no such controls, the test is skipped and says why.</summary>
    public static BrokerFaults Faults => Started.IsEmbedded
        ? Started.Broker.Faults
        : throw new InvalidOperationException(
            $"{DynamicSkipToken.Value}Faults cannot be made in the real broker at {BootstrapServers}: this test needs the embedded one.");

    private static TestCluster Started => KitRun.Current.Run.Started
        ?? throw new InvalidOperationException("The cluster is not started yet: mark the test [KafkaTest], or await TopicAsync first.");

    /// <summary>This worker's topic: made once, used again by the next tests, another one after a failing test.</summary>
    /// <param name="name">What the test calls it.</param>
    /// <param name="partitions">Exactly so many; absent: as many as were asked for last by this name, 1 at first.</param>
    /// <returns>The name that the broker knows.</returns>
    public static Task<string> TopicAsync(string name, int? partitions = null) =>
        Worker.TopicAsync(name, partitions, TestContext.Current.CancellationToken);

    /// <summary>The group that goes with a topic, for the service under test.</summary>
    /// <param name="topic">As <see cref="TopicAsync"/> answered it.</param>
    public static string GroupFor(string topic) => Worker.GroupFor(topic);

    /// <summary>This worker's consumer of a topic; it shows what is produced from now on.</summary>
    /// <param name="topic">As <see cref="TopicAsync"/> answered it.</param>
    /// <param name="mode">By itself, or as a member of the group <see cref="GroupFor"/>.</param>
    public static Task<TestConsumer> ConsumerAsync(string topic, ConsumeMode mode = ConsumeMode.Assign) =>
        Worker.ConsumerAsync(topic, mode, TestContext.Current.CancellationToken);

    /// <summary>
    /// Creates a client of any Kafka library in its turn, and names it with its test if it is still open at the end:
    /// <c>CreateClient(() =&gt; builder.Build(), client =&gt; client.AddBrokers(""))</c>.
    /// </summary>
    /// <typeparam name="T">The client's type.</typeparam>
    /// <param name="create">Creates it.</param>
    /// <param name="probe">Anything that a client that is disposed of refuses.</param>
    public static T CreateClient<T>(Func<T> create, Func<T, object?> probe)
        where T : IDisposable => ClientGate.Create(create, probe);

    /// <summary>One client for the whole assembly, such as a producer of the service under test; disposed of at the end.</summary>
    /// <typeparam name="T">The client's type.</typeparam>
    /// <param name="name">The same name answers the same client.</param>
    /// <param name="create">Creates it.</param>
    public static T SharedClient<T>(string name, Func<T> create)
        where T : class, IDisposable => Run.SharedClient(name, create);

    /// <summary>A folder for this test alone: gone when it ends, unless it fails; then it stays for a week and is told.</summary>
    /// <exception cref="InvalidOperationException">Not in a test.</exception>
    public static string TempFolder => Worker.Test?.TempFolder
        ?? throw new InvalidOperationException("A temporary folder belongs to a test: ask for it in one, not in a fixture.");

    /// <summary>A port from 15000 to 25000 that no other test has, in any process on this machine, until it is disposed of.</summary>
    public static PortLease LeasePort() => Run.LeasePort();

    /// <summary>This worker's SQLite file: a copy of a template that is prepared once in the run.</summary>
    /// <param name="name">What the tests call it.</param>
    /// <param name="prepare">Makes the template at the path that it is given, and closes it.</param>
    /// <returns>The file's path.</returns>
    public static Task<string> SqliteFileAsync(string name, Func<string, Task> prepare) =>
        Worker.SqliteFileAsync(name, prepare, TestContext.Current.CancellationToken);

    /// <summary>Sends a record and waits until it is in the log.</summary>
    /// <param name="topic">As <see cref="TopicAsync"/> answered it.</param>
    /// <param name="key">Null: no key.</param>
    /// <param name="value">Null: a tombstone.</param>
    /// <param name="headers">Default none.</param>
    /// <exception cref="InvalidOperationException">It was not delivered; the message tells why.</exception>
    public static async Task<DeliveryOutcome> ProduceAsync(
        string topic, string? key, string? value, IReadOnlyList<RecordHeader>? headers = null)
    {
        var cluster = await KitRun.Current.Run.ClusterAsync(TestContext.Current.CancellationToken);
        var outcome = await cluster.Producer.SendAsync(topic, key, value, headers, TestContext.Current.CancellationToken);
        return outcome.IsDelivered
            ? outcome
            : throw new InvalidOperationException($"The record for {topic} was not delivered: {outcome.Status}, {outcome.Reason}");
    }
}
