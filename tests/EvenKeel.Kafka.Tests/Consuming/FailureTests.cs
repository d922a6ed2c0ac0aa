using System.Collections.Concurrent;
using System.Text;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class FailureTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded, false)]
    [InlineData(BrokerKinds.Embedded, true)]
    [InlineData(BrokerKinds.Real, false)]
    public async Task Poison_records_become_dead_letters_with_their_origin_the_rest_stays_in_order_and_after_the_repair_they_are_replayed(
        string kind, bool inBatches)
    {
        const int Records = 10_000;
        await using var broker = BrokerKinds.Start(kind);
        var (topic, group) = (NewName("poison"), NewName("poison"));
        var letters = NewName("letters");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        await broker.CreateTopicAsync(letters, 1, Cancellation);
        await FillAsync(broker, topic, Records);
        var heard = new Heard();
        await using var producer = new ReliableProducer(Producers.Options(broker));
        var options = WithDeadLetters(Options(broker, group, topic), letters, producer, attempts: 3);
        var isRepaired = false;
        bool IsPoison(int number) => number % 1000 == 7;
        ValueTask Handle(ReceivedRecord record) =>
            !isRepaired && IsPoison(record.Number()) ? throw new FormatException($"{record.Number()} is poison") : heard.Take(record);

        await using (var consumer = inBatches
            ? ReliableConsumer.OfBatches(options with { MaxBatchRecords = 50 }, (batch, _) => All(batch, Handle), heard.Take)
            : new ReliableConsumer(options, (record, _) => Handle(record), heard.Take))
        {
            await Until(() => consumer.Counters is { Done: Records, DeadLetters: 10 }, () => $"{consumer.Counters}; {heard}");
        }

        var healthy = heard.Records.Select(record => record.Number).Distinct().Order().ToList();
        Assert.Equal(Enumerable.Range(0, Records).Where(number => !IsPoison(number)), healthy);
        if (!inBatches)
        {
            Assert.All(heard.Records.GroupBy(record => record.Source), partition =>
                Assert.Equal(partition.Select(record => record.Offset).Order(), partition.Select(record => record.Offset)));
        }
        var dead = await ReadLettersAsync(broker, letters, 10);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"{i * 1000 + 7}"), dead.Select(letter => letter.Value).OrderBy(int.Parse));
        Assert.All(dead, letter =>
        {
            Assert.Equal((topic, group, "3"), (letter[DeadLetterHeaders.Topic], letter[DeadLetterHeaders.Group], letter[DeadLetterHeaders.Attempts]));
            Assert.Equal($"System.FormatException: {letter.Value} is poison", letter[DeadLetterHeaders.Reason]);
            Assert.Contains(nameof(FailureTests), letter[DeadLetterHeaders.Stack], StringComparison.Ordinal);
            Assert.InRange(int.Parse(letter[DeadLetterHeaders.Partition]), 0, 1);
            Assert.InRange(long.Parse(letter[DeadLetterHeaders.Offset]), 0, Records - 1);
        });

        isRepaired = true;
        var report = await options.ReplayDeadLettersAsync(Cancellation);
        Assert.Equal((10, 0), (report.Replayed, report.PassedOver));
        Assert.Equal(new ReplayReport(0, 0), await options.ReplayDeadLettersAsync(Cancellation));
        await using var again = new ReliableConsumer(options, (record, _) => Handle(record), heard.Take);
        await heard.Until(all => all.Different == Records);
    }

    [Fact]
    public async Task A_handler_that_fails_for_every_record_pauses_and_says_so_and_goes_on_with_the_first_success()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("broken", 1, Cancellation);
        await broker.CreateTopicAsync("broken-letters", 1, Cancellation);
        await FillAsync(broker, "broken", 200);
        var (heard, isBroken) = (new Heard(), true);
        await using var producer = new ReliableProducer(Producers.Options(broker));

        await using var consumer = new ReliableConsumer(
            WithDeadLetters(Options(broker, "broken", "broken"), "broken-letters", producer, attempts: 2),
            (record, _) => Volatile.Read(ref isBroken) ? throw new TimeoutException("the database is away") : heard.Take(record), heard.Take);
        await heard.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Paused));
        var failures = consumer.Counters.HandlerFailures;
        await Until(() => consumer.Counters.HandlerFailures > failures + 5, () => $"{consumer.Counters}");

        Assert.True(consumer.IsFailing);
        Assert.Equal(10, consumer.Counters.DeadLetters);
        Volatile.Write(ref isBroken, false);
        await heard.Until(all => all.Count == 190);
        Assert.False(consumer.IsFailing);
        Assert.Equal(10, consumer.Counters.DeadLetters);
        await heard.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.Resumed));
    }

    [Fact]
    public async Task A_record_whose_dead_letter_is_not_written_is_not_committed_and_is_written_later()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("held", 1, Cancellation);
        await FillAsync(broker, "held", 3);
        var heard = new Heard();
        await using var producer = new RefusingProducer();

        await using (var consumer = new ReliableConsumer(
            WithDeadLetters(Options(broker, "held", "held"), "held-letters", producer, attempts: 1),
            (record, _) => record.Offset == 1 ? throw new FormatException("poison") : heard.Take(record), heard.Take))
        {
            await Until(() => producer.Refused > 3, () => $"{producer.Refused} refused; {heard}");
            await Until(() => consumer.Positions().Single().CommittedOffset == 1, () => $"{consumer.Positions().Single()}");
            Assert.Equal([0], heard.Records.Select(record => record.Number));

            producer.Accepts = true;
            await heard.Until(all => all.Count == 2);
            await Until(() => consumer.Positions().Single().CommittedOffset == 3, () => $"{consumer.Positions().Single()}");
        }

        Assert.Equal(1, producer.Accepted);
        Assert.Equal(new long[] { 3 }, await CommittedAsync(broker, "held", "held", 1));
    }

    [Fact]
    public async Task A_record_that_fails_is_tried_again_with_its_attempts_counted_and_without_dead_letters_for_ever()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("again", 1, Cancellation);
        await FillAsync(broker, "again", 2);
        var (heard, attempts) = (new Heard(), new ConcurrentQueue<int>());

        await using var consumer = new ReliableConsumer(
            Options(broker, "again", "again"),
            (record, _) =>
            {
                if (record.Offset == 0)
                    attempts.Enqueue(record.Attempt);
                return record is { Offset: 0, Attempt: < 12 } ? throw new TimeoutException("not yet") : heard.Take(record);
            },
            heard.Take);
        await heard.Until(all => all.Count == 2);

        Assert.Equal(Enumerable.Range(1, 12), attempts);
        Assert.Equal(11, consumer.Counters.HandlerFailures);
        Assert.Equal([0, 1], heard.Records.Select(record => record.Number));
    }

    [Fact]
    public void Options_that_are_violated_are_all_named()
    {
        var options = new ConsumerOptions
        {
            BootstrapServers = "",
            GroupId = " ",
            Topics = [],
            Lanes = 0,
            MaxBatchRecords = 0,
            CommitInterval = TimeSpan.Zero,
            InHand = new InHandLimits { MaxRecords = 0, MaxBytes = 0, PrefetchBytes = 0 },
            Deadlines = new ConsumerDeadlines { Close = TimeSpan.FromSeconds(-1), Revoke = TimeSpan.FromMinutes(10) },
            Failures = new FailureOptions { Attempts = 0, Jitter = 2 },
            Properties = new Dictionary<string, string>
            {
                ["enable.auto.commit"] = "true",
                ["session.timeout.ms"] = "6000",
                ["heartbeat.interval.ms"] = "5000",
            },
        };

        var violations = options.Validate();

        foreach (var name in new[]
            {
                "BootstrapServers", "GroupId", "Topics", "Lanes", "MaxBatchRecords", "CommitInterval", "InHand.MaxRecords", "InHand.MaxBytes",
                "InHand.PrefetchBytes", "Deadlines.Close", "Deadlines.Revoke", "Failures.Attempts", "Failures.Jitter", "enable.auto.commit",
                "heartbeat.interval.ms",
            })
        {
            Assert.Contains(violations, violation => violation.Contains(name, StringComparison.Ordinal));
        }
        var thrown = Assert.Throws<ArgumentException>(() => new ReliableConsumer(options, (_, _) => ValueTask.CompletedTask));
        Assert.All(violations, violation => Assert.Contains(violation, thrown.Message, StringComparison.Ordinal));
        var modern = options with { Protocol = GroupProtocol.Consumer };
        Assert.Contains(modern.Validate(), violation => violation.Contains("session.timeout.ms", StringComparison.Ordinal));
    }

    private static ConsumerOptions WithDeadLetters(ConsumerOptions options, string topic, IRecordProducer producer, int attempts) =>
        options with { Failures = options.Failures with { Attempts = attempts, DeadLetters = new DeadLetterOptions(topic, producer) } };

    private static async ValueTask All(ReceivedBatch batch, Func<ReceivedRecord, ValueTask> handle)
    {
        for (var i = 0; i < batch.Count; i++)
            await handle(batch[i]);
    }

    private static async Task<List<Letter>> ReadLettersAsync(IBroker broker, string topic, int count)
    {
        var letters = new ConcurrentQueue<Letter>();
        await using var reader = new ReliableConsumer(Options(broker, NewName("letters"), topic), (record, _) =>
        {
            letters.Enqueue(new Letter(
                Encoding.UTF8.GetString(record.Value.Span),
                record.Headers.ToDictionary(header => header.Name, header => Encoding.UTF8.GetString(header.Value!.Value.Span))));
            return ValueTask.CompletedTask;
        });
        await Until(() => letters.Count >= count, () => $"{letters.Count} letters");
        return [.. letters];
    }

    private sealed record Letter(string Value, Dictionary<string, string> Headers)
    {
        public string this[string header] => Headers[header];
    }

    /// <summary>Refuses every record until it is told to accept them.</summary>
    private sealed class RefusingProducer : IRecordProducer
    {
        private int _refused;
        private int _accepted;

        public bool Accepts { get; set; }

        public int Refused => Volatile.Read(ref _refused);

        public int Accepted => Volatile.Read(ref _accepted);

        public ValueTask<DeliveryOutcome> SendAsync(scoped in OutgoingRecord record, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref Accepts ? ref _accepted : ref _refused);
            return new(Accepts
                ? DeliveryOutcome.Delivered(0, 0, 0)
                : DeliveryOutcome.Refused(KafkaErrorCode.TopicAuthorizationFailed, "made up"));
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
