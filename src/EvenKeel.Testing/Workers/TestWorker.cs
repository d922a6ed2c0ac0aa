using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka;
using EvenKeel.Testing.Topics;

namespace EvenKeel.Testing.Workers;

/// <summary>
/// A worker is what tests run on, one at a time: it has topics and consumers of its own, makes each once, and uses them again in test
/// after test, until one fails. Then it goes on with new ones under the next version, so that no test inherits the mess of another.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The semaphore's wait handle is never made: nothing to dispose of.")]
public sealed class TestWorker
{
    private readonly TestRun _run;
    private readonly WorkerNames _names;
    private readonly SemaphoreSlim _making = new(1);
    private readonly Lock _gate = new();

    // What the test calls a topic, by the broker's name; of all versions.
    private readonly ConcurrentDictionary<string, string> _called = new(StringComparer.Ordinal);

    // Guarded by _making, one question at a time. Topics by what the test calls them and their partitions, how many partitions were asked
    // for last by that name, consumers by topic and mode.
    private readonly Dictionary<(string Name, int Partitions), string> _topics = [];
    private readonly Dictionary<string, int> _lastPartitions = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Topic, ConsumeMode Mode), CachedConsumer> _consumers = [];
    private int _builtVersion;
    private long _clock;

    // Guarded by _gate: what the end of a test, or of the run, touches from outside.
    private readonly HashSet<TestConsumer> _asked = [];
    private readonly List<TestConsumer> _open = [];
    private readonly List<string> _topicsMade = [];
    private readonly HashSet<string> _groupsNamed = new(StringComparer.Ordinal);
    private TestScope? _test;
    private int _version;

    internal TestWorker(TestRun run, int number)
    {
        _run = run;
        Number = number;
        _names = new WorkerNames(run.Options.NamePrefix, number, run.RunId);
    }

    /// <summary>From 0; no other worker on this machine has it at the same time.</summary>
    public int Number { get; }

    /// <summary>The run that it belongs to.</summary>
    public TestRun Run => _run;

    /// <summary>How often a test failed on it: the n of its names.</summary>
    public int Version
    {
        get
        {
            lock (_gate)
                return _version;
        }
    }

    /// <summary>The test that runs on it now; null between tests.</summary>
    public TestScope? Test
    {
        get
        {
            lock (_gate)
                return _test;
        }
    }

    internal IReadOnlyList<string> TopicsMade
    {
        get
        {
            lock (_gate)
                return [.. _topicsMade];
        }
    }

    internal IReadOnlyList<string> GroupsNamed
    {
        get
        {
            lock (_gate)
                return [.. _groupsNamed];
        }
    }

    /// <summary>Begins a test; the one before must have ended.</summary>
    /// <param name="name">For messages.</param>
    public TestScope BeginTest(string name)
    {
        lock (_gate)
        {
            if (_test is not null)
                throw new InvalidOperationException($"'{name}' begins on worker {Number} while '{_test.Name}' runs there: lease one each.");
            return _test = new TestScope(this, name);
        }
    }

    /// <summary>
    /// This worker's topic of a name: made at the first call, the same one afterwards, another one after a failure. Ask for its name in
    /// every test.
    /// </summary>
    /// <param name="name">What the test calls it.</param>
    /// <param name="partitions">Exactly so many; absent: as many as were asked for last by this name, 1 at first.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The name that the broker knows.</returns>
    public async Task<string> TopicAsync(string name, int? partitions = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        await _making.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var version = RenewIfFailed();
            var count = partitions ?? _lastPartitions.GetValueOrDefault(name, 1);
            if (!_topics.TryGetValue((name, count), out var topic))
            {
                // A test that asks for other partitions than one before gets them, whichever of the two came first.
                topic = _names.Topic(name, version, _topics.Keys.Any(known => known.Name == name) ? count : null);
                var cluster = await _run.ClusterAsync(cancellationToken).ConfigureAwait(false);
                await cluster.Broker.CreateTopicAsync(topic, count, cancellationToken).ConfigureAwait(false);
                lock (_gate)
                    _topicsMade.Add(topic);
                _called[topic] = name;
                _topics[(name, count)] = topic;
            }
            _lastPartitions[name] = count;
            return topic;
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>The group that goes with a topic, for the service under test and for consumers that subscribe.</summary>
    /// <param name="topic">As <see cref="TopicAsync"/> answered it, or what the test calls it.</param>
    public string GroupFor(string topic)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        return NameGroup(topic, Version);
    }

    /// <summary>
    /// This worker's consumer of a topic: made at the first call, the same one afterwards. It receives what is produced from now on, and
    /// nothing that was there before, whatever the tests before have left unread.
    /// </summary>
    /// <param name="topic">As <see cref="TopicAsync"/> answered it.</param>
    /// <param name="mode">By itself, or as a member of the group <see cref="GroupFor"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KafkaException">The topic is not there.</exception>
    public async Task<TestConsumer> ConsumerAsync(
        string topic, ConsumeMode mode = ConsumeMode.Assign, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        var cluster = await _run.ClusterAsync(cancellationToken).ConfigureAwait(false);
        await _making.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var version = RenewIfFailed();
            if (!_consumers.TryGetValue((topic, mode), out var cached))
            {
                var group = mode == ConsumeMode.Subscribe ? NameGroup(topic, version) : _names.Group(CalledIn(topic), version);
                cached = new CachedConsumer(new TestConsumer(
                    new TestConsumerSetup(cluster.BootstrapServers, topic, group, mode)
                    {
                        IsEmbedded = cluster.IsEmbedded,
                        Deadline = _run.Options.ReceiveDeadline,
                        Cancellation = _run.Options.Cancellation,
                    }));
                _consumers[(topic, mode)] = cached;
                lock (_gate)
                    _open.Add(cached.Consumer);
            }
            cached.LastUse = ++_clock;
            CloseUnused();
            lock (_gate)
                _asked.Add(cached.Consumer);
            await cached.Consumer.AskAsync(cancellationToken).ConfigureAwait(false);
            return cached.Consumer;
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>
    /// This worker's SQLite file: a copy of a template that is prepared once in the run, the same in every test until one fails, then
    /// another copy.
    /// </summary>
    /// <param name="name">What the tests call it.</param>
    /// <param name="prepare">Makes the template at the path that it is given, and closes it: schema, first rows.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The file's path; open it with any driver.</returns>
    /// <exception cref="InvalidOperationException">The preparation made no file, or left a connection open.</exception>
    public Task<string> SqliteFileAsync(string name, Func<string, Task> prepare, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(prepare);
        return _run.Sqlite.FileAsync(this, name, prepare, cancellationToken);
    }

    internal void EndTest(TestScope test, bool hasFailed)
    {
        lock (_gate)
        {
            Debug.Assert(_test == test, "a test ends where it began");
            _test = null;
            if (hasFailed)
                _version++;
        }
        Rest();
    }

    /// <summary>No test looks at the consumers now: they fetch nothing until they are asked again.</summary>
    internal void Rest()
    {
        TestConsumer[] asked;
        lock (_gate)
        {
            asked = [.. _asked];
            _asked.Clear();
        }
        foreach (var consumer in asked)
            consumer.Park();
    }

    /// <summary>At the end of the run.</summary>
    internal IEnumerable<Task> CloseClients()
    {
        lock (_gate)
            return [.. _open.Select(consumer => consumer.CloseAsync())];
    }

    /// <returns>The version that topics and consumers are made under from here on.</returns>
    private int RenewIfFailed()
    {
        Debug.Assert(_making.CurrentCount == 0, "renewed by whoever makes");
        var version = Version;
        if (version == _builtVersion)
            return version;
        _builtVersion = version;
        _topics.Clear();
        _lastPartitions.Clear();
        foreach (var key in _consumers.Keys.ToArray())
            Close(key);
        return version;
    }

    private void CloseUnused()
    {
        while (_consumers.Count > _run.Options.MaxConsumersPerWorker)
        {
            var oldest = _consumers.MinBy(entry => entry.Value.LastUse);
            lock (_gate)
            {
                if (_asked.Contains(oldest.Value.Consumer))
                    return; // This test uses that many.
            }
            Close(oldest.Key);
        }
    }

    private void Close((string Topic, ConsumeMode Mode) key)
    {
        if (!_consumers.Remove(key, out var cached))
            return;
        lock (_gate)
        {
            _open.Remove(cached.Consumer);
            _asked.Remove(cached.Consumer);
        }
        _run.InBackground(cached.Consumer.CloseAsync(), $"Closing the consumer of {key.Topic}");
    }

    /// <summary>Whoever is told the name may join the group: it is deleted at the end of the run.</summary>
    private string NameGroup(string topic, int version)
    {
        var group = _names.Group(CalledIn(topic), version);
        lock (_gate)
            _groupsNamed.Add(group);
        return group;
    }

    private string CalledIn(string topic) => _called.GetValueOrDefault(topic, topic);

    private sealed class CachedConsumer(TestConsumer consumer)
    {
        public TestConsumer Consumer => consumer;

        public long LastUse { get; set; }
    }
}
