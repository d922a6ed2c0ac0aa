using EvenKeel.Testing.Workers;
using Microsoft.AspNetCore.Mvc.Testing;

namespace EvenKeel.Testing.AspNetCore;

/// <summary>
/// The settings of a service under test that a worker gives: each under the key at which the service reads it.
/// </summary>
public sealed class WorkerSettings
{
    private readonly List<Func<TestWorker, Task<IEnumerable<KeyValuePair<string, string>>>>> _parts = [];

    /// <summary>Where Kafka is.</summary>
    /// <param name="key">Such as <c>Kafka:BootstrapServers</c>.</param>
    public WorkerSettings BootstrapServers(string key) =>
        Add(async worker => [new(key, (await worker.Run.ClusterAsync().ConfigureAwait(false)).BootstrapServers)]);

    /// <summary>The worker's topic of a name.</summary>
    /// <param name="key">Such as <c>Kafka:OrdersTopic</c>.</param>
    /// <param name="topic">What the test calls it.</param>
    /// <param name="partitions">Exactly so many; absent: as many as were asked for last by this name, 1 at first.</param>
    public WorkerSettings Topic(string key, string topic, int? partitions = null) =>
        Add(async worker => [new(key, await worker.TopicAsync(topic, partitions).ConfigureAwait(false))]);

    /// <summary>The worker's group that goes with a topic.</summary>
    /// <param name="key">Such as <c>Kafka:GroupId</c>.</param>
    /// <param name="topic">What the test calls it.</param>
    public WorkerSettings Group(string key, string topic) =>
        Add(worker => Task.FromResult<IEnumerable<KeyValuePair<string, string>>>([new(key, worker.GroupFor(topic))]));

    /// <summary>The times with which the service's consumers join and leave quickly on the cluster of the tests.</summary>
    /// <param name="section">Where the service reads librdkafka's own properties of its consumers, such as <c>Kafka:Consumer</c>.</param>
    public WorkerSettings ConsumerProperties(string section) => Add(async worker =>
        (await worker.Run.ClusterAsync().ConfigureAwait(false)).ConsumerProperties
            .Select(property => KeyValuePair.Create($"{section}:{property.Key}", property.Value)));

    /// <summary>Any other.</summary>
    /// <param name="key">Such as <c>Logging:LogLevel:Default</c>.</param>
    /// <param name="value">The value.</param>
    public WorkerSettings Value(string key, string value) =>
        Add(_ => Task.FromResult<IEnumerable<KeyValuePair<string, string>>>([new(key, value)]));

    /// <summary>One that the worker has, such as the connection string of its database.</summary>
    /// <param name="key">Such as <c>ConnectionStrings:Orders</c>.</param>
    /// <param name="valueOf">Asks for it, each time that the service is made.</param>
    public WorkerSettings Value(string key, Func<TestWorker, Task<string>> valueOf)
    {
        ArgumentNullException.ThrowIfNull(valueOf);
        return Add(async worker => [new(key, await valueOf(worker).ConfigureAwait(false))]);
    }

    internal async Task<IReadOnlyList<KeyValuePair<string, string>>> ForAsync(TestWorker worker)
    {
        // Side by side: a database is cloned while the topics are made. Of two with one key the last one counts, as they were written.
        var given = await Task.WhenAll(_parts.Select(part => part(worker))).ConfigureAwait(false);
        return [.. given.SelectMany(part => part)];
    }

    private WorkerSettings Add(Func<TestWorker, Task<IEnumerable<KeyValuePair<string, string>>>> part)
    {
        _parts.Add(part);
        return this;
    }
}

/// <summary>A service under test on a worker.</summary>
public static class WorkerFactory
{
    /// <summary>The service with what the worker has; topics that are not there yet are made. Dispose of it with its tests.</summary>
    /// <typeparam name="TEntryPoint">A type of the service's assembly.</typeparam>
    /// <param name="factory">The service; it stays as it is.</param>
    /// <param name="worker">Whose topics, group and database.</param>
    /// <param name="settings">Under which keys the service reads them.</param>
    public static async Task<WebApplicationFactory<TEntryPoint>> OnWorkerAsync<TEntryPoint>(
        this WebApplicationFactory<TEntryPoint> factory, TestWorker worker, Action<WorkerSettings> settings)
        where TEntryPoint : class
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentNullException.ThrowIfNull(settings);
        var wanted = new WorkerSettings();
        settings(wanted);
        var given = await wanted.ForAsync(worker).ConfigureAwait(false);
        return factory.WithWebHostBuilder(builder =>
        {
            foreach (var (key, value) in given)
                builder.UseSetting(key, value);
        });
    }
}
