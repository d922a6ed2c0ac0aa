using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Queue;
using EvenKeel.Queue.Storage;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;
using static EvenKeel.Kafka.Tests.Spilling.Spills;

namespace EvenKeel.Kafka.Tests.Spilling;

public sealed class SpillDiskTests : IDisposable
{
    private readonly Spills _spills = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _spills.Dispose();

    [Fact]
    public async Task What_is_left_at_the_stop_is_counted_and_sent_by_the_next_producer_before_its_own()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("left", 1, Cancellation);
        broker.Faults.TakeDown();
        var sent = Enumerable.Range(0, 300).Select(i => ($"key-{i % 2}", $"{i}")).ToList();
        var first = _spills.Producer(broker);
        var sends = sent.Select(record => Send(first, "left", record.Item1, record.Item2)).ToList();

        var report = await first.DrainAsync(Cancellation);

        Assert.Equal((0, 0, 0, 300), (report.Delivered, report.Refused, report.Unknown, report.LeftInSpill));
        Assert.InRange(report.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.All(await All(sends), outcome => Assert.Equal(DeliveryStatus.Spilled, outcome.Status));
        Assert.Equal(KafkaErrorCode.ClientDestroyed, (await Send(first, "left", "key-0", "late")).Error);
        await using var second = _spills.Producer(broker);
        sent.Add(("key-0", "next"));
        var next = Send(second, "left", "key-0", "next");
        broker.Faults.BringUp();
        Assert.True((await next.WaitAsync(Deadline, Cancellation)).IsDelivered);
        await UntilState(second, SpillState.Direct);
        var seen = await ReadIdsAsync(broker, "left", 1, 301);
        AssertHistory(seen, sent);
        Assert.Equal(301, seen.Count);
    }

    [Fact]
    public async Task A_crash_while_a_replay_is_on_its_way_sends_it_again()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("crash", 1, Cancellation);
        broker.Faults.TakeDown();
        await using var producer = _spills.Producer(broker, SpillAcknowledgement.Disk);
        var sent = Enumerable.Range(0, 100).Select(i => ("key", $"{i}")).ToList();
        await All(sent.Select(record => Send(producer, "crash", record.Item1, record.Item2)));

        // The replay has handed over what it can and has no answer: none of it may be forgotten by who finds the disk like this.
        await Until(() => producer.Counters.HeldTopics == 1, () => $"{producer.Counters}");
        using var found = _spills.Copy();

        await using var anotherBroker = EmbeddedBroker.Start();
        await anotherBroker.CreateTopicAsync("crash", 1, Cancellation);
        await using var next = found.Producer(anotherBroker);
        AssertHistory(await ReadIdsAsync(anotherBroker, "crash", 1, 100), sent);
        await UntilState(next, SpillState.Direct);
    }

    [Fact]
    public async Task Spilled_is_said_only_after_the_fsync()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        using var disk = new GatedDisk();
        await using var producer = new SpillingProducer(
            Client(broker), _spills.Options(SpillAcknowledgement.Disk), disk.Open, TimeProvider.System);
        var opened = Send(producer, "fsync", "key", "opens the file");
        await opened.WaitAsync(Deadline, Cancellation);
        disk.Close();

        var spilled = Send(producer, "fsync", "key", "value");

        await Until(() => disk.IsAwaited, () => $"{producer.Counters}");
        try
        {
            await Assert.ThrowsAsync<TimeoutException>(() => spilled.WaitAsync(TimeSpan.FromMilliseconds(200), Cancellation));
        }
        finally
        {
            disk.LetPass();
        }
        Assert.Equal(DeliveryStatus.Spilled, (await spilled.WaitAsync(Deadline, Cancellation)).Status);
    }

    [Fact]
    public async Task A_disk_that_fails_is_told_nothing_more_is_acknowledged_from_it_and_other_keys_go_straight()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("broken", 1, Cancellation);
        using var disk = new GatedDisk();
        await using var producer = new SpillingProducer(
            Client(broker), _spills.Options(SpillAcknowledgement.Disk), disk.Open, TimeProvider.System);
        var notices = Notices(producer);
        broker.Faults.TakeDown();
        Assert.Equal(DeliveryStatus.Spilled, (await Send(producer, "broken", "key", "kept")).Status);
        disk.Fails = true;

        var failed = await Send(producer, "broken", "key", "not kept").WaitAsync(Deadline, Cancellation);
        var later = await Send(producer, "broken", "key", "nor this").WaitAsync(Deadline, Cancellation);

        Assert.Equal((DeliveryStatus.Unknown, KafkaErrorCode.FileSystem), (failed.Status, failed.Error));
        Assert.Equal((DeliveryStatus.Refused, KafkaErrorCode.FileSystem), (later.Status, later.Error));
        await UntilTold(notices, ProducerNoticeKind.SpillFailed);
        broker.Faults.BringUp();

        // Until the broker is found again, what came back has nowhere to go, and its caller is told.
        var attempts = new List<DeliveryOutcome>();
        while (attempts.Count == 0 || !attempts[^1].IsDelivered)
        {
            attempts.Add(await Send(producer, "broken", "another key", "straight").WaitAsync(Deadline, Cancellation));
            Assert.True(attempts.Count < 100_000, $"{attempts[^1]} {producer.Counters}");
        }
    }

    [Fact]
    public async Task A_full_disk_refuses_each_record_is_told_once_and_takes_records_again_when_it_has_room()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("crowded", 1, Cancellation);
        using var disk = new GatedDisk();
        await using var producer = new SpillingProducer(
            Client(broker), _spills.Options(SpillAcknowledgement.Disk), disk.Open, TimeProvider.System);
        var notices = Notices(producer);
        broker.Faults.TakeDown();
        Assert.Equal(DeliveryStatus.Spilled, (await Send(producer, "crowded", "key", "kept")).Status);

        disk.IsFull = true;
        for (var i = 0; i < 50; i++)
        {
            var refused = await Send(producer, "crowded", "key", $"refused {i}").WaitAsync(Deadline, Cancellation);
            Assert.Equal((DeliveryStatus.Refused, KafkaErrorCode.QueueFull), (refused.Status, refused.Error));
        }
        disk.IsFull = false;
        Assert.Equal(DeliveryStatus.Spilled, (await Send(producer, "crowded", "key", "kept too")).Status);

        broker.Faults.BringUp();
        await UntilState(producer, SpillState.Direct);
        AssertHistory(await ReadIdsAsync(broker, "crowded", 1, 2), [("key", "kept"), ("key", "kept too")]);
        Assert.Single(notices, notice => notice.Kind == ProducerNoticeKind.SpillFull);
    }

    [Theory]
    [InlineData(SpillBound.Refuse)]
    [InlineData(SpillBound.Wait)]
    public async Task At_the_disks_bound_a_caller_is_refused_or_waits_and_what_was_taken_is_sent(SpillBound bound)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("full", 1, Cancellation);
        var options = _spills.Options(SpillAcknowledgement.Disk) with { MaxBytes = 256 << 10, AtMaxBytes = bound };
        await using var producer = new SpillingProducer(Client(broker) with { MaxRecordBytes = 20_000 }, options);
        var notices = Notices(producer);
        broker.Faults.TakeDown();
        var value = new string('v', 1000);
        var sent = Enumerable.Range(0, 400).Select(i => ("key", $"{i} {value}")).ToList();

        var sends = sent.Select(record => Send(producer, "full", record.Item1, record.Item2)).ToList();
        await UntilTold(notices, ProducerNoticeKind.SpillFull);
        if (bound == SpillBound.Refuse)
            await All(sends);
        else
            await Until(() => producer.Counters is { Waiting: > 100 }, () => $"{producer.Counters}");
        Assert.InRange(producer.Counters.SpillBytes, 64 << 10, options.MaxBytes);
        broker.Faults.BringUp();

        var outcomes = await All(sends);
        Assert.All(
            outcomes.Where(outcome => outcome.Status == DeliveryStatus.Refused),
            outcome => Assert.Equal((KafkaErrorCode.QueueFull, RetryAdvice.Later), (outcome.Error, outcome.Retry)));
        var taken = sent.Where((_, i) => outcomes[i].Status != DeliveryStatus.Refused).ToList();
        Assert.Equal(bound == SpillBound.Wait, taken.Count == 400);
        Assert.InRange(taken.Count, 100, 400);
        await UntilState(producer, SpillState.Direct);
        AssertHistory(await ReadIdsAsync(broker, "full", 1, taken.Count), taken);
    }

    [Fact]
    public async Task A_wait_for_room_ends_with_its_token_and_the_record_is_not_sent()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        var options = _spills.Options(SpillAcknowledgement.Disk) with { MaxBytes = 256 << 10 };
        await using var producer = new SpillingProducer(Client(broker) with { MaxRecordBytes = 20_000 }, options);
        var notices = Notices(producer);
        var value = new string('v', 10_000);
        var sends = Enumerable.Range(0, 40).Select(i => Send(producer, "cancel", "key", value)).ToList();
        await UntilTold(notices, ProducerNoticeKind.SpillFull);
        using var cancel = new CancellationTokenSource();
        var waiting = producer.SendAsync("cancel", "key", value, null, cancel.Token).AsTask();
        Assert.False(waiting.IsCompleted);
        var before = producer.Counters.Waiting;

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Deadline, Cancellation));
        Assert.Equal(before - 1, producer.Counters.Waiting);
    }

    [Fact]
    public async Task More_callers_than_may_wait_for_the_broker_are_refused()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new SpillingProducer(Client(broker), _spills.Options() with { MaxPendingCallers = 20 });
        var first = Send(producer, "callers", "key", "first");
        await Until(() => producer.Counters.PendingCallers == 1, () => $"{producer.Counters}");

        var sends = Enumerable.Range(0, 50).Select(i => Send(producer, "callers", "key", $"{i}")).ToList();
        await Until(() => producer.Counters.PendingCallers == 20, () => $"{producer.Counters}");

        Assert.False(first.IsCompleted);
        var refused = await All(sends.Skip(19));
        Assert.All(refused, outcome => Assert.Contains("MaxPendingCallers", outcome.Reason, StringComparison.Ordinal));
        Assert.Equal(31, producer.Counters.Refused);
    }

    [Fact]
    public async Task A_damaged_record_in_the_spill_is_counted_and_told_and_the_others_are_sent()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("damaged", 1, Cancellation);
        broker.Faults.TakeDown();
        await using (var first = _spills.Producer(broker, SpillAcknowledgement.Disk))
            await All(Enumerable.Range(0, 30).Select(i => Send(first, "damaged", "key", $"value {i:000}")));
        var segment = Directory.EnumerateFiles(Path.Combine(_spills.Folder, "topics", "damaged")).Single(
            file => File.ReadAllBytes(file).AsSpan().IndexOf("value 010"u8) > 0);
        var bytes = await File.ReadAllBytesAsync(segment, Cancellation);
        bytes[bytes.AsSpan().IndexOf("value 010"u8)] ^= 0xFF;
        await File.WriteAllBytesAsync(segment, bytes, Cancellation);
        broker.Faults.BringUp();

        await using var producer = _spills.Producer(broker);
        var notices = Notices(producer);

        await UntilState(producer, SpillState.Direct);
        Assert.Equal((1, 29), (producer.Counters.Quarantined, producer.Counters.Replayed));
        Assert.Equal(29, (await ReadIdsAsync(broker, "damaged", 1, 29)).Count);
        Assert.True((await Send(producer, "damaged", "key", "next")).IsDelivered);
        Assert.Equal(1, producer.Counters.Direct);
    }

    [Fact]
    public async Task A_folder_in_use_is_refused_and_every_violated_option_is_named()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = _spills.Producer(broker);

        Assert.Equal(QueueOpenFailure.InUse, Assert.Throws<QueueOpenException>(() => _spills.Producer(broker)).Failure);
        var violations = Assert.Throws<ArgumentException>(() => new SpillingProducer(
            Client(broker) with
            {
                DeliveryTimeout = TimeSpan.FromSeconds(1),
                Properties = new Dictionary<string, string> { ["enable.gapless.guarantee"] = "false" },
            },
            new SpillOptions
            {
                Directory = "",
                SpillAfter = TimeSpan.FromSeconds(2),
                MaxBytes = 1,
                MaxWaitingSends = 0,
                MaxPendingCallers = 0,
            }));
        string[] names = ["Directory", "SpillAfter", "MaxBytes", "MaxWaitingSends", "MaxPendingCallers", "enable.gapless.guarantee"];
        foreach (var name in names)
            Assert.Contains(name, violations.Message, StringComparison.Ordinal);
    }

    /// <summary>A disk whose fsync of a topic's files waits or fails when told.</summary>
    private sealed class GatedDisk : IDisposable
    {
        private readonly ManualResetEventSlim _open = new(true);

        public bool IsAwaited { get; private set; }

        public bool Fails { get; set; }

        public bool IsFull { get; set; }

        public DurableQueue Open(DurableQueueOptions options)
        {
            var storage = new FileStorage(options.Directory, create: true);
            var isTopic = !options.Directory.EndsWith("dead-letters", StringComparison.Ordinal);
            return DurableQueue.Open(options, isTopic ? new GatedStorage(this, storage) : storage, TimeProvider.System, ownThread: true);
        }

        public void Close() => _open.Reset();

        public void LetPass() => _open.Set();

        public void Dispose() => _open.Dispose();

        private void Pass()
        {
            IsAwaited = !_open.IsSet;
            _open.Wait(Deadline);
            if (Fails)
                throw new IOException("The disk fails by order of the test.");
        }

        private sealed class GatedStorage(GatedDisk disk, FileStorage inner) : IQueueStorage
        {
            public string Location => inner.Location;

            public IReadOnlyList<StoredFile> List() => inner.List();

            public IQueueFile Open(string name) => new GatedFile(disk, inner.Open(name));

            public IQueueFile Create(string name) => new GatedFile(disk, inner.Create(name));

            public void Delete(string name) => inner.Delete(name);

            public void SyncDirectory() => inner.SyncDirectory();

            public IDisposable? TryLock(string name) => inner.TryLock(name);
        }

        private sealed class GatedFile(GatedDisk disk, IQueueFile inner) : IQueueFile
        {
            public long Length => inner.Length;

            public int Read(Span<byte> destination, long offset) => inner.Read(destination, offset);

            public void Write(ReadOnlySpan<byte> source, long offset)
            {
                if (disk.IsFull)
                    throw DiskErrors.OutOfSpace("by order of the test");
                inner.Write(source, offset);
            }

            public void Sync()
            {
                disk.Pass();
                inner.Sync();
            }

            public void SetLength(long length) => inner.SetLength(length);

            public void Dispose() => inner.Dispose();
        }
    }
}
