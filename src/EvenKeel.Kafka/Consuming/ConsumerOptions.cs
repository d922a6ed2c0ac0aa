using System.Globalization;

namespace EvenKeel.Kafka.Consuming;

/// <summary>How members of a group agree on who reads what.</summary>
public enum GroupProtocol
{
    /// <summary>The protocol of all brokers; cooperative unless the property <c>partition.assignment.strategy</c> says otherwise.</summary>
    Classic,

    /// <summary>KIP-848: the broker assigns; Kafka 4.0 and newer.</summary>
    Consumer,
}

/// <summary>Where a group begins that has committed nothing, or whose offset is gone.</summary>
public enum StartAt
{
    /// <summary>At the oldest record kept.</summary>
    Earliest,

    /// <summary>At the end: what was written before is skipped.</summary>
    Latest,

    /// <summary>Nowhere: the partition stands still, and the consumer says so.</summary>
    Fail,
}

/// <summary>How a <see cref="ReliableConsumer"/> reads. Automatic commits and offset stores are off and not options.</summary>
public sealed record ConsumerOptions
{
    private static readonly string[] Owned =
    [
        "group.id", "group.protocol", "enable.auto.commit", "enable.auto.offset.store", "auto.commit.interval.ms", "auto.offset.reset",
        "queued.max.messages.kbytes", "log.queue", "enable.partition.eof", "offset.store.method",
    ];

    private static readonly string[] Classic = ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"];

    /// <summary>Where the cluster is: <c>host:port</c>, several joined by commas. No default.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>The group that shares the topics. No default.</summary>
    public required string GroupId { get; init; }

    /// <summary>What is read; a name that begins with <c>^</c> is a regular expression. No default.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>Default <see cref="GroupProtocol.Classic"/>: every broker speaks it.</summary>
    public GroupProtocol Protocol { get; init; } = GroupProtocol.Classic;

    /// <summary>Default <see cref="StartAt.Earliest"/>: librdkafka's own, the end, skips what was written before the first start.</summary>
    public StartAt StartAt { get; init; } = StartAt.Earliest;

    /// <summary>
    /// How many handlers run at once, each on a thread of its own; records of one key go to one lane, those without a key to one lane a
    /// partition, in order. Default 1: all records of a partition in order.
    /// </summary>
    public int Lanes { get; init; } = 1;

    /// <summary>The most records handed to a batch handler at once. Default 500, Java's <c>max.poll.records</c>.</summary>
    public int MaxBatchRecords { get; init; } = 500;

    /// <summary>What is held in memory at most.</summary>
    public InHandLimits InHand { get; init; } = new();

    /// <summary>
    /// How often the offsets of finished work are committed. Default 1 s: what is handled again after a crash is at most the work of that
    /// time (Kafka's own default is 5 s). Also on revocation and at the end.
    /// </summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the end and a revocation may take.</summary>
    public ConsumerDeadlines Deadlines { get; init; } = new();

    /// <summary>What becomes of a record whose handler throws.</summary>
    public FailureOptions Failures { get; init; } = new();

    /// <summary>librdkafka's own properties, passed through; those that this type or the consumer's promises decide are refused.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; init; } = new Dictionary<string, string>();

    /// <summary>Every violation, each with the setting, the value and the fix; empty if it can be used.</summary>
    /// <returns>Sentences for people.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new Violations();
        if (string.IsNullOrWhiteSpace(BootstrapServers))
            violations.Add($"BootstrapServers is '{BootstrapServers}': give host:port of one broker or more.");
        if (string.IsNullOrWhiteSpace(GroupId))
            violations.Add($"GroupId is '{GroupId}': give the name that the members share.");
        if (Topics is null || Topics.Count == 0 || Topics.Any(string.IsNullOrWhiteSpace))
            violations.Add($"Topics is [{string.Join(", ", Topics ?? [])}]: name at least one topic, and none that is empty.");
        violations.Check(Enum.IsDefined(Protocol), nameof(Protocol), Protocol, "Classic or Consumer");
        violations.Check(Enum.IsDefined(StartAt), nameof(StartAt), StartAt, "Earliest, Latest or Fail");
        violations.Check(Lanes is >= 1 and <= 256, nameof(Lanes), Lanes, "1 to 256");
        violations.Check(MaxBatchRecords is >= 1 and <= 100_000, nameof(MaxBatchRecords), MaxBatchRecords, "1 to 100,000");
        violations.Check(CommitInterval >= TimeSpan.FromMilliseconds(10) && CommitInterval <= TimeSpan.FromHours(1), nameof(CommitInterval),
            CommitInterval, "10 ms to an hour");
        InHand.AddViolations(violations);
        Deadlines.AddViolations(violations);
        Failures.AddViolations(violations);
        AddPropertyViolations(violations);
        return violations.All;
    }

    private void AddPropertyViolations(Violations violations)
    {
        foreach (var name in Owned.Where(Properties.ContainsKey))
            violations.Add($"Property '{name}' is '{Properties[name]}': the consumer sets it; use the option of that meaning, if any.");
        if (Protocol == GroupProtocol.Consumer)
        {
            foreach (var name in Classic.Where(Properties.ContainsKey))
            {
                violations.Add(
                    $"Property '{name}' is '{Properties[name]}': with Protocol Consumer it is the broker's to decide; remove it.");
            }
        }
        var session = Milliseconds("session.timeout.ms", 45_000);
        var heartbeat = Milliseconds("heartbeat.interval.ms", 3_000);
        var maxPoll = Milliseconds("max.poll.interval.ms", 300_000);
        if (Protocol == GroupProtocol.Classic)
        {
            violations.Check(heartbeat * 3 <= session, "heartbeat.interval.ms", heartbeat,
                $"at most a third of session.timeout.ms, {session}");
        }
        violations.Check(Deadlines.Revoke.TotalMilliseconds < maxPoll, "Deadlines.Revoke", Deadlines.Revoke,
            $"less than max.poll.interval.ms, {maxPoll}: the group waits no longer than that for a member");
    }

    private int Milliseconds(string name, int unset) =>
        Properties.TryGetValue(name, out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value : unset;
}

/// <summary>What a consumer holds in memory at most; then it takes no more until handlers are done with some.</summary>
public sealed record InHandLimits
{
    /// <summary>Records taken and not done. Default 10,000.</summary>
    public int MaxRecords { get; init; } = 10_000;

    /// <summary>Bytes of keys and values taken and not done. Default 32 MiB. One record may be larger.</summary>
    public long MaxBytes { get; init; } = 32L << 20;

    /// <summary>
    /// Bytes that librdkafka fetches ahead. Default 16 MiB (librdkafka's own is 64 MiB a client). Held at most at one moment:
    /// <see cref="MaxBytes"/>, twice this, and one answer of each broker, which is limited to this as well.
    /// </summary>
    public long PrefetchBytes { get; init; } = 16L << 20;

    internal void AddViolations(Violations violations)
    {
        violations.Check(MaxRecords is >= 1 and <= 10_000_000, "InHand.MaxRecords", MaxRecords, "1 to 10,000,000");
        violations.Check(MaxBytes is >= 1024 and <= 64L << 30, "InHand.MaxBytes", MaxBytes, "1 KiB to 64 GiB");
        violations.Check(PrefetchBytes is >= 1 << 20 and <= 1L << 30, "InHand.PrefetchBytes", PrefetchBytes, "1 MiB to 1 GiB");
    }
}

/// <summary>How long a consumer waits for work in hand, and for the group.</summary>
public sealed record ConsumerDeadlines
{
    /// <summary>
    /// For the whole end: handlers that run, the last commit, leaving the group. Default 10 s (the drain of the service in the field).
    /// librdkafka's own close has no limit.
    /// </summary>
    public TimeSpan Close { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For handlers that run on partitions that are being taken away; then they are given up uncommitted. Default 5 s.</summary>
    public TimeSpan Revoke { get; init; } = TimeSpan.FromSeconds(5);

    internal void AddViolations(Violations violations)
    {
        violations.Check(Close >= TimeSpan.Zero && Close <= TimeSpan.FromDays(1), "Deadlines.Close", Close, "zero to a day");
        violations.Check(Revoke >= TimeSpan.Zero && Revoke <= TimeSpan.FromDays(1), "Deadlines.Revoke", Revoke, "zero to a day");
    }
}
