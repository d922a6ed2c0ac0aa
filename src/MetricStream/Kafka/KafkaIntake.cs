using EvenKeel.Kafka;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Queue;
using MetricStream.Serving;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>The half of a server that brings batches into Kafka: the producer with its spill, and what is known of both.</summary>
internal sealed partial class KafkaIntake : IAsyncDisposable
{
    private const string ClientName = "metricstream";
    private const long LargestSegment = 16L << 20;

    private readonly ProducerSettings _settings;
    private readonly BrokerReach _reach;
    private readonly ILogger _log;

    // Written by who tells of a failure, in the order in which it reads: how much the spill had taken, then why it takes no more.
    private long _spilledAtFault;
    private volatile string? _spillFault;

    // Asked again by who wants to know; meanwhile the answer before holds.
    private readonly Lock _gate = new();
    private Task _question = Task.CompletedTask;
    private volatile bool _isReached = true;
    private int _spillFailures;

    private KafkaIntake(ProducerSettings settings, SpillingProducer producer, KafkaBatchQueue batches, KafkaAccount account, ILogger log)
    {
        _settings = settings;
        _log = log;
        _reach = new BrokerReach(AskAsync, () => producer.Counters.Direct);
        (Producer, Batches, Account) = (producer, batches, account);
        producer.Noticed += TakeNotice;
    }

    public SpillingProducer Producer { get; }

    public KafkaBatchQueue Batches { get; }

    public KafkaAccount Account { get; }

    /// <summary>Why the spill takes nothing any more; null while it works, and once it has taken a batch again.</summary>
    public string? SpillFault =>
        _spillFault is { } fault && Producer.Counters.Spilled <= Interlocked.Read(ref _spilledAtFault) ? fault : null;

    /// <summary>Whether Kafka answered when it was asked last; asks again, for who wants to know next.</summary>
    public bool LookForBroker()
    {
        lock (_gate)
        {
            if (_question.IsCompleted)
                _question = LookAsync();
        }

        return _isReached;
    }

    /// <exception cref="StartRefusedException">The spill's folder or a property cannot be used.</exception>
    public static KafkaIntake Open(ServeSettings settings, KafkaOptions options, AcceptanceIds ids, IMetricStore store, ILogger log)
    {
        var producer = options.Producer(settings.MaxQueueBytes);
        var spill = new SpillOptions
        {
            Directory = settings.SpillFolder,
            Acknowledgement = SpillAcknowledgement.Disk,
            AtMaxBytes = SpillBound.Refuse,
            MaxBytes = settings.MaxQueueBytes,
            SegmentBytes = Math.Clamp(settings.MaxQueueBytes / 8, 4096, LargestSegment),
        };
        try
        {
            var spilling = new SpillingProducer(producer.Options, spill);
            return new KafkaIntake(
                producer, spilling, new KafkaBatchQueue(spilling, options.Topic, ids), new KafkaAccount(store, spilling), log);
        }
        catch (Exception refused) when (refused is KafkaException or DurableQueueException or ArgumentException)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    /// <summary>Waits for the first answer of a broker, at most 5 s.</summary>
    /// <exception cref="StartRefusedException">The broker refuses who we say we are.</exception>
    public async Task ConnectAsync(CancellationToken cancellation)
    {
        foreach (var note in _settings.Notes)
            LogNote(note);
        var (isReached, why) = await _reach.AwaitFirstAsync(cancellation);
        if (isReached)
            LogConnected(_settings.Options.BootstrapServers);
        else if (_reach.Refusal is { } refusal)
            throw new StartRefusedException(CredentialRefusal.Of(ClientName, _settings.Options, refusal).Message);
        else
            LogNotConnected(_settings.Options.BootstrapServers, why);
    }

    public ValueTask DisposeAsync() => Producer.DisposeAsync();

    private async Task LookAsync()
    {
        var failures = Volatile.Read(ref _spillFailures);
        var isReached = (await _reach.AskAsync(CancellationToken.None)).IsReached;

        // An answer to a question from before the last failure is none.
        if (!isReached || failures == Volatile.Read(ref _spillFailures))
            _isReached = isReached;
    }

    private Task AskAsync(TimeSpan limit, CancellationToken stop) => Producer.WarmUpAsync([], limit, stop);

    private void TakeNotice(object? sender, ProducerNotice notice)
    {
        _reach.Take(notice);
        switch (notice.Kind)
        {
            case ProducerNoticeKind.SpillFailed:
                Interlocked.Exchange(ref _spilledAtFault, Producer.Counters.Spilled);
                _spillFault = notice.Text;
                // A batch is in the spill because Kafka did not take it: it counts as away until it answers, whatever it took before.
                Interlocked.Increment(ref _spillFailures);
                _isReached = false;
                _reach.ForgetDelivered();
                LookForBroker();
                LogError(notice.Text);
                break;
            case ProducerNoticeKind.SpillDamaged or ProducerNoticeKind.DeadLettered or ProducerNoticeKind.Defect
                or ProducerNoticeKind.UserCodeThrew:
                LogError(notice.Text);
                break;
            // While Kafka is away these come again and again; the change of state and the first failed connection say it once.
            case ProducerNoticeKind.BrokerError when notice.Error is KafkaErrorCode.AllBrokersDown or KafkaErrorCode.Transport:
            case ProducerNoticeKind.Log when notice.LogLevel > 4:
                LogLibrary(notice.Text);
                break;
            case ProducerNoticeKind.SpillState:
                LogState(notice.Text);
                break;
            default:
                LogWarning(notice.Text);
                break;
        }
    }

    [LoggerMessage(211, LogLevel.Information, "Kafka at {Servers} answers.")]
    private partial void LogConnected(string servers);

    [LoggerMessage(212, LogLevel.Warning, "Kafka at {Servers} does not answer; batches go to the spill until it does. {Reason}")]
    private partial void LogNotConnected(string servers, string reason);

    [LoggerMessage(213, LogLevel.Information, "{Note}")]
    private partial void LogNote(string note);

    [LoggerMessage(214, LogLevel.Warning, "Kafka: {Text}")]
    private partial void LogWarning(string text);

    [LoggerMessage(215, LogLevel.Error, "Kafka: {Text}")]
    private partial void LogError(string text);

    [LoggerMessage(216, LogLevel.Debug, "Kafka: {Text}")]
    private partial void LogLibrary(string text);

    [LoggerMessage(217, LogLevel.Information, "Kafka: {Text}")]
    private partial void LogState(string text);
}
