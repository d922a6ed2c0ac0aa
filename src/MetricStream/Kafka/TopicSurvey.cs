using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace MetricStream.Kafka;

/// <summary>What is known of the topic. Null where the cluster did not tell.</summary>
/// <param name="Partitions">How many it has; 0 before it is known.</param>
/// <param name="Replicas">Copies of the partition that has the fewest.</param>
/// <param name="MinInSync">How many of them must have a batch before it is acknowledged.</param>
internal sealed record TopicReport(int Partitions, int? Replicas, int? MinInSync)
{
    public const int SafeReplicas = 3;
    public const int SafeInSync = 2;

    /// <summary>Whether what the topic acknowledges survives a power loss: Kafka answers before it fsyncs, so copies must.</summary>
    public bool? SurvivesPowerLoss =>
        Replicas is null || MinInSync is null ? null : Replicas >= SafeReplicas && MinInSync >= SafeInSync;
}

/// <summary>
/// Looks after the topic over a client of its own: makes it when it is absent, finds out how safe it is, and where its partitions end.
/// Goes on asking while the cluster is away.
/// </summary>
internal sealed partial class TopicSurvey : IAsyncDisposable
{
    /// <summary>The id of every topic where the cluster has none.</summary>
    public const string NoId = "-";

    private const string EmbeddedCluster = "mockCluster";


    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Question = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AdminQuestion = TimeSpan.FromSeconds(5);

    private readonly KafkaOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ClientHandle _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TopicReport _report = new(0, null, null);
    private volatile long[]? _ends;
    private volatile long[] _firsts = [];
    private volatile string _topicId = "";
    private volatile string? _clusterId;
    private Task _running = Task.CompletedTask;

    // The survey's loop only.
    private bool _isRefused;
    private bool _wasAsked;

    /// <exception cref="KafkaException">librdkafka refuses a property.</exception>
    public TopicSurvey(KafkaOptions options, TimeProvider time, ILogger log)
    {
        _options = options;
        _time = time;
        _log = log;
        _client = AdminClient.Create(options);
    }

    public TopicReport Report => _report;

    /// <summary>Ends when the topic is there and its ends are known, or the cluster refuses to make it.</summary>
    public Task Known => _known.Task;

    /// <summary>The id that the cluster gave the topic; empty before it is known, <see cref="NoId"/> from a cluster without such ids.
    /// </summary>
    public string TopicId => _topicId;

    /// <summary>Where the partitions began and ended when they were last asked for; null before.</summary>
    public IReadOnlyList<(long First, long End)>? Bounds => _ends is { } ends ? [.. _firsts.Zip(ends)] : null;

    /// <summary>The topic was deleted and made again: what was known of its partitions is void.</summary>
    public event Action? MadeAnew;

    /// <summary>Asks for the topic's id now.</summary>
    /// <exception cref="KafkaException">There is none, or no answer.</exception>
    public async Task<string> AskIdAsync(CancellationToken stop)
    {
        var id = await IsEmbeddedAsync(stop) ? NoId : await TopicAdmin.IdAsync(_client, _options.Topic, AdminQuestion, stop);
        if (_topicId is { Length: > 0 } known && known != id)
        {
            LogMadeAnew(_options.Topic, known, id);
            (_ends, _firsts) = (null, []);
            MadeAnew?.Invoke();
        }
        _topicId = id;
        return id;
    }

    /// <summary>Asks for the first record of a partition that is there, and its end, now.</summary>
    /// <exception cref="KafkaException">No answer.</exception>
    public Task<(long First, long End)> AskBoundsAsync(int partition, CancellationToken stop) =>
        Task.Run(() => _client.QueryWatermarks(_options.Topic, partition, AdminQuestion), stop);

    /// <summary>Makes another topic of one partition, where it is absent and that is allowed; else the broker may make it by itself.
    /// </summary>
    public async Task EnsureTopicAsync(string topic, CancellationToken stop)
    {
        if (await IsEmbeddedAsync(stop))
            return;
        try
        {
            await TopicAdmin.CreateAsync(_client, topic, 1, -1, AdminQuestion, stop);
        }
        catch (KafkaException refused)
        {
            LogNotEnsured(topic, refused.Message);
        }
    }

    public void Start() => _running = RunAsync();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _client.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Every, _time);
        using var ended = _stop.Token.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        do
        {
            try
            {
                await LookAsync();
            }
            catch (KafkaException away)
            {
                // The next look asks again; whether batches get through is the producer's to say.
                LogNotAnswered(_options.Topic, away.Message);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                break;
            }
        }
        while (await timer.WaitForNextTickAsync());
    }

    private async Task LookAsync()
    {
        // 1. All topics are asked for: a question for one by name makes a broker create it as it likes.
        var topic = await FindAsync();

        // 2. Absent: it is made, where that is allowed.
        if (topic is null && !_isRefused)
        {
            await CreateAsync();
            topic = await FindAsync();
        }
        if (topic is null)
            return;

        // 3. Whether it is still the same, and how safe it is, once.
        await AskIdAsync(_stop.Token);
        if (!_wasAsked)
            await DescribeAsync(topic.Partitions.Count);

        // 4. Where its partitions begin and end.
        var (firsts, ends) = (new long[topic.Partitions.Count], new long[topic.Partitions.Count]);
        for (var partition = 0; partition < ends.Length; partition++)
        {
            var asked = partition;
            (firsts[partition], ends[partition]) =
                await Task.Run(() => _client.QueryWatermarks(_options.Topic, asked, Question), _stop.Token);
        }
        (_firsts, _ends) = (firsts, ends);
        _known.TrySetResult();
    }

    private async Task<TopicMetadata?> FindAsync()
    {
        var found = await Task.Run(() => _client.Metadata(null, Question), _stop.Token);
        return found.Topics.FirstOrDefault(topic => topic.Name == _options.Topic && topic.Partitions.Count > 0);
    }

    /// <summary>Whether it is librdkafka's own broker, which answers no request about topics: it makes one that is asked for by name, and
    /// has no ids and no settings.</summary>
    private async Task<bool> IsEmbeddedAsync(CancellationToken stop)
    {
        _clusterId ??= await Task.Run(() => _client.ClusterId(Question), stop)
            ?? throw new KafkaException(KafkaErrorCode.TimedOut, $"The cluster did not tell its id within {Question.TotalSeconds} s.");
        return _clusterId.StartsWith(EmbeddedCluster, StringComparison.Ordinal);
    }

    private async Task CreateAsync()
    {
        if (await IsEmbeddedAsync(_stop.Token))
        {
            await Task.Run(() => _client.Metadata(_client.Topic(_options.Topic), Question), _stop.Token);
            return;
        }
        try
        {
            await TopicAdmin.CreateAsync(_client, _options.Topic, _options.Partitions, -1, AdminQuestion, _stop.Token);
            LogCreated(_options.Topic, _options.Partitions);
        }
        catch (KafkaException refused) when (refused.Code is not (KafkaErrorCode.TimedOut or KafkaErrorCode.Transport
            or KafkaErrorCode.TopicAlreadyExists or KafkaErrorCode.AllBrokersDown or KafkaErrorCode.RequestTimedOut))
        {
            _isRefused = true;
            LogNotCreated(_options.Topic, refused.Message, _options.Partitions);
            _known.TrySetResult();
        }
    }

    private async Task DescribeAsync(int partitions)
    {
        if (await IsEmbeddedAsync(_stop.Token))
        {
            _report = new TopicReport(partitions, null, null);
            _wasAsked = true;
            return;
        }
        try
        {
            var found = await TopicAdmin.DescribeAsync(_client, _options.Topic, AdminQuestion, _stop.Token);
            _report = new TopicReport(partitions, found.Replicas, found.MinInSyncReplicas);
            if (_report.SurvivesPowerLoss == false)
            {
                LogWeak(_options.Topic, found.Replicas, found.MinInSyncReplicas, TopicReport.SafeReplicas, TopicReport.SafeInSync);
            }
        }
        catch (KafkaException refused) when (refused.Code is not (KafkaErrorCode.TimedOut or KafkaErrorCode.Transport))
        {
            _report = new TopicReport(partitions, null, null);
            LogNotDescribed(_options.Topic, refused.Message);
        }
        if (partitions != _options.Partitions)
            LogPartitions(_options.Topic, partitions, _options.Partitions);
        _wasAsked = true;
    }

    [LoggerMessage(201, LogLevel.Information,
        "Topic '{Topic}' is made, with {Partitions} partitions and the broker's default replication.")]
    private partial void LogCreated(string topic, int partitions);

    [LoggerMessage(202, LogLevel.Warning,
        "Topic '{Topic}' is absent and cannot be made from here: {Reason} Make it, with {Partitions} partitions; until then batches "
        + "wait in the spill, unless the broker makes it by itself.")]
    private partial void LogNotCreated(string topic, string reason, int partitions);

    [LoggerMessage(203, LogLevel.Warning,
        "Topic '{Topic}' has {Replicas} replica(s) and min.insync.replicas {InSync}: what it acknowledges may not survive a power loss. "
        + "Give it {SafeReplicas} and {SafeInSync} or more.")]
    private partial void LogWeak(string topic, int replicas, int inSync, int safeReplicas, int safeInSync);

    [LoggerMessage(204, LogLevel.Warning, "Whether topic '{Topic}' survives a power loss is not known: {Reason}")]
    private partial void LogNotDescribed(string topic, string reason);

    [LoggerMessage(205, LogLevel.Debug, "No answer about topic '{Topic}': {Reason}")]
    private partial void LogNotAnswered(string topic, string reason);

    [LoggerMessage(206, LogLevel.Information,
        "Topic '{Topic}' has {Partitions} partitions; --partitions {Wanted} is for a topic that is absent.")]
    private partial void LogPartitions(string topic, int partitions, int wanted);

    [LoggerMessage(207, LogLevel.Error,
        "Topic '{Topic}' was deleted and made again (id {Was}, now {Id}): what it held and was not stored is lost with it.")]
    private partial void LogMadeAnew(string topic, string was, string id);

    [LoggerMessage(208, LogLevel.Debug, "Topic '{Topic}' was not made: {Reason}")]
    private partial void LogNotEnsured(string topic, string reason);
}
