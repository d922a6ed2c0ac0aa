using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Testing.Topics;

/// <summary>How a test consumer gets its partitions.</summary>
public enum ConsumeMode
{
    /// <summary>All of them, by itself: no group, no rebalance, ready at once.</summary>
    Assign,

    /// <summary>As a member of its group, for tests about groups.</summary>
    Subscribe,
}

/// <summary>
/// A worker's consumer of one topic, the same from test to test. After it was asked for it shows what is produced from then on, and
/// nothing that was there before. Its waits end with the test's own cancellation, where the framework has one.
/// </summary>
public sealed class TestConsumer
{
    private static readonly TimeSpan AskWait = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(5);

    private readonly ClientHandle _client;
    private readonly FetchThread _fetch;
    private readonly RecordInbox _inbox = new();
    private readonly ConsumeMode _mode;
    private readonly TimeSpan _deadline;
    private readonly Func<CancellationToken> _cancellation;

    // One question at a time. The partitions are asked for once: a test topic keeps those it was made with.
    private int[]? _partitions;
    private bool _isSubscribed;
    private int _closed;

    internal TestConsumer(TestConsumerSetup setup)
    {
        Topic = setup.Topic;
        Group = setup.Group;
        _mode = setup.Mode;
        _deadline = setup.Deadline;
        _cancellation = setup.Cancellation;
        using var configuration = new ClientConfiguration();
        foreach (var (name, value) in setup.Settings())
            configuration.Set(name, value);
        _client = CreationGate.Create(ClientKind.Consumer, configuration, EventKinds.Fetch | EventKinds.Rebalance | EventKinds.Error);
        _client.PollMainFromConsumerQueue();
        _fetch = new FetchThread(Topic, _client, _inbox);
    }

    /// <summary>The topic as the broker knows it.</summary>
    public string Topic { get; }

    /// <summary>Its group; of use to the broker when it subscribes.</summary>
    public string Group { get; }

    /// <summary>The next record.</summary>
    /// <param name="within">The deadline; absent: the run's, 10 s by default.</param>
    /// <exception cref="ReceiveTimeoutException">None came; the message tells what was seen, and what the client said.</exception>
    public Task<TestRecord> ReceiveAsync(TimeSpan? within = null) =>
        ReceiveAsync(_ => true, within);

    /// <summary>The next record that is wanted; those before it count as seen.</summary>
    /// <param name="wanted">Looks at a record.</param>
    /// <param name="within">The deadline; absent: the run's, 10 s by default.</param>
    /// <exception cref="ReceiveTimeoutException">None came; the message tells what was seen, and what the client said.</exception>
    public async Task<TestRecord> ReceiveAsync(Func<TestRecord, bool> wanted, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        var wait = new ReceiveWait(within ?? _deadline);
        while (true)
        {
            var changed = _inbox.Changed;
            while (_inbox.TryTake(out var record))
            {
                if (wanted(record!))
                    return record!;
            }
            await AwaitAsync(changed, wait, "a record that was waited for", _cancellation()).ConfigureAwait(false);
        }
    }

    /// <summary>The next records.</summary>
    /// <param name="count">How many.</param>
    /// <param name="within">The deadline for all; absent: the run's, 10 s by default.</param>
    /// <exception cref="ReceiveTimeoutException">Fewer came; the message tells what was seen, and what the client said.</exception>
    public async Task<IReadOnlyList<TestRecord>> ReceiveAsync(int count, TimeSpan? within = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var wait = new ReceiveWait(within ?? _deadline);
        var records = new List<TestRecord>(Math.Min(count, 1024));
        while (true)
        {
            var changed = _inbox.Changed;
            while (records.Count < count && _inbox.TryTake(out var record))
                records.Add(record!);
            if (records.Count == count)
                return records;
            await AwaitAsync(changed, wait, $"{count} records ({records.Count} came)", _cancellation()).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Everything that is in the topic now and was not received yet: the way to show that nothing else was sent, without waiting for
    /// nothing to happen.
    /// </summary>
    /// <param name="within">The deadline; absent: the run's, 10 s by default.</param>
    /// <exception cref="ReceiveTimeoutException">The end was not reached in time.</exception>
    public async Task<IReadOnlyList<TestRecord>> ReceiveToEndAsync(TimeSpan? within = null)
    {
        var wait = new ReceiveWait(within ?? _deadline);
        var ends = await AskEndsAsync(_cancellation()).ConfigureAwait(false);
        while (true)
        {
            var changed = _inbox.Changed;
            if (_inbox.HasReached(ends))
                break;
            await AwaitAsync(changed, wait, $"the end of {Topic} as it was ({Text(ends)})", _cancellation()).ConfigureAwait(false);
        }
        var records = new List<TestRecord>();
        while (_inbox.TryTake(out var record))
            records.Add(record!);
        return records;
    }

    /// <summary>From here on what is produced is received, and nothing that was there before.</summary>
    internal async Task AskAsync(CancellationToken cancellationToken)
    {
        var starts = await AskEndsAsync(cancellationToken).ConfigureAwait(false);
        _inbox.Open(starts);
        if (_mode == ConsumeMode.Assign)
        {
            Assign(starts);
            return;
        }
        if (!_isSubscribed)
        {
            _client.Subscribe(Topic);
            _isSubscribed = true;
        }
        await AwaitAsync(_fetch.Joined, new ReceiveWait(_deadline), $"the group {Group} to give its partitions", cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>Fetches nothing until it is asked for again; a member stays in its group.</summary>
    internal unsafe void Park()
    {
        _inbox.Close();
        if (_mode == ConsumeMode.Assign && Volatile.Read(ref _closed) == 0)
            _client.Assign((NativePartitionList*)null);
    }

    /// <summary>Closes it, within a limit; a member leaves its group first.</summary>
    internal async Task CloseAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
            return;
        _inbox.Close();
        await Task.Run(() =>
        {
            _fetch.Stop();
            if (_isSubscribed)
                Leave();
        }).ConfigureAwait(false);
        await _client.CloseAsync(DestroyOptions.NoConsumerClose).WaitAsync(CloseLimit).ConfigureAwait(false);
    }

    private unsafe void Leave()
    {
        var start = Stopwatch.GetTimestamp();
        using var queue = EventQueue.Consumer(_client);
        _client.BeginConsumerClose(queue);
        while (!_client.IsConsumerClosed())
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(20));
            if (next.Kind == EventKinds.Rebalance)
                _client.Assign((NativePartitionList*)null);
            if (Stopwatch.GetElapsedTime(start) > CloseLimit)
                throw new TimeoutException($"The group {Group} did not let its consumer go within {CloseLimit}; it times out by itself.");
        }
    }

    private async Task<SortedDictionary<int, long>> AskEndsAsync(CancellationToken cancellationToken)
    {
        _partitions ??= await Task.Run(AskPartitions, cancellationToken).ConfigureAwait(false);
        var ends = new SortedDictionary<int, long>();
        foreach (var partition in _partitions)
            ends[partition] = await PartitionEnds.AskAsync(_client, Topic, partition, AskWait, cancellationToken).ConfigureAwait(false);
        return ends;
    }

    private int[] AskPartitions()
    {
        var topic = _client.Metadata(_client.Topic(Topic), AskWait).Topics.Single();
        return topic.Error == KafkaErrorCode.None && topic.Partitions.Count > 0
            ? [.. topic.Partitions.Select(partition => partition.Id)]
            : throw new KafkaException(
                topic.Error, $"The topic {Topic} cannot be consumed: {topic.Error.Describe()}. Make it with TopicAsync first.");
    }

    private void Assign(SortedDictionary<int, long> starts)
    {
        using var list = new PartitionList(starts.Count);
        foreach (var (partition, offset) in starts)
            list.Add(Topic, partition, offset);
        _client.Assign(list);
    }

    private async Task AwaitAsync(Task signal, ReceiveWait wait, string what, CancellationToken cancellationToken)
    {
        if (!_inbox.IsOpen)
            throw new InvalidOperationException(
                $"The consumer of {Topic} rests since the test that asked for it has ended: ask for it with ConsumerAsync in each test.");
        try
        {
            await signal.WaitAsync(wait.Left, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new ReceiveTimeoutException($"Waited {wait.Limit.TotalSeconds:0.###} s in {Topic} for {what}.\n{_inbox.Describe()}");
        }
    }

    private static string Text(SortedDictionary<int, long> ends) => string.Join(", ", ends.Select(end => $"[{end.Key}]@{end.Value}"));

    /// <summary>One wait with its deadline.</summary>
    private sealed class ReceiveWait(TimeSpan limit)
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public TimeSpan Limit => limit;

        public TimeSpan Left =>
            Stopwatch.GetElapsedTime(_start) is var gone && gone < limit ? limit - gone : TimeSpan.Zero;
    }
}
