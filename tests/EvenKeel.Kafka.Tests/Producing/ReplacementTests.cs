using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>What becomes of the records when the native client fails for good.</summary>
public sealed class ReplacementTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_a_fatal_error_another_client_sends_what_is_safe_in_order_and_the_rest_is_unknown()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("fatal", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with
        {
            BatchRecords = 10,
            Properties = new Dictionary<string, string>
            {
                ["max.in.flight.requests.per.connection"] = "1",
                ["topic.metadata.refresh.interval.ms"] = "-1",
            },
        });

        // A metadata request that waits for its answer would hold the one slot in flight.
        await producer.WarmUpAsync(["fatal"], Deadline, Cancellation);
        Assert.True((await producer.Send("fatal", "key", "warm")).IsDelivered);
        broker.Faults.SetRoundTripTime(TimeSpan.FromMinutes(5));
        broker.Faults.StartRecording();
        var sends = Enumerable.Range(0, 100).Select(i => producer.Send("fatal", "key", $"{i}")).ToList();
        await Until(() => broker.Faults.Requests().Any(request => request.Api == KafkaApi.Produce), () => "no produce request came");
        var failed = producer.Client.Handle;

        MakeFatal(failed);
        Assert.Equal(DeliveryStatus.Unknown, (await sends[0].WaitAsync(Deadline, Cancellation)).Status);
        broker.Faults.SetRoundTripTime(TimeSpan.Zero);
        sends.AddRange(Enumerable.Range(100, 10).Select(i => producer.Send("fatal", "key", $"{i}")));
        var outcomes = await All(sends);

        Assert.Equal(1, producer.Counters.Replacements);
        Assert.NotSame(failed, producer.Client.Handle);
        var unknown = outcomes.Count(outcome => outcome.Status == DeliveryStatus.Unknown);
        Assert.InRange(unknown, 1, 10);
        Assert.All(outcomes[..unknown], outcome => Assert.Equal(DeliveryStatus.Unknown, outcome.Status));
        Assert.All(outcomes[unknown..], outcome => Assert.Equal(DeliveryStatus.Delivered, outcome.Status));
        var offsets = outcomes[unknown..].Select(outcome => outcome.Offset).ToList();
        Assert.Equal(offsets.Order(), offsets);
        Assert.Equal((0, 0), (producer.Counters.Refused, producer.Counters.Backlog));
    }

    [Fact]
    public async Task What_a_failed_client_left_comes_back_in_the_order_of_acceptance_whatever_the_partition()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("mixed", 4, Cancellation);
        var options = Options(broker) with { Linger = TimeSpan.FromSeconds(30), DeliveryTimeout = TimeSpan.FromMinutes(2) };
        var backlog = new Backlog(options, _ => { });
        var notices = new NoticeBoard(this);
        var client = ProducerClient.Create(new ProducerContext(options, backlog, notices, new Leftovers()));
        WarmUp.Run(client, ["mixed"], Deadline, Cancellation);
        var sends = new PendingSendPool(100, _ => { });
        for (var i = 0; i < 100; i++)
            backlog.TryQueue(new OutgoingRecord("mixed", Bytes($"key{i % 10}"), Bytes($"{i}")), 0, sends.Rent());
        var group = backlog.Take(new SendGroup())!;
        foreach (var entry in group.Entries)
            Assert.Equal(KafkaErrorCode.None, client.Send(group, entry));

        MakeFatal(client.Handle);
        client.MarkFatal();
        var left = client.End();

        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), left.Select(record => record.Sequence));
        Assert.Equal(
            Enumerable.Range(0, 100).Select(i => $"key{i % 10}{i}"), left.Select(record => Encoding.UTF8.GetString(record.Bytes)));
    }

    [Fact]
    public async Task A_record_that_three_other_clients_could_not_send_either_is_refused()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("unlucky", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { Drain = Short });
        await producer.WarmUpAsync(["unlucky"], Deadline, Cancellation);
        broker.Faults.TakeDown();
        var send = producer.Send("unlucky", "key", "value");

        for (var failures = 1; failures <= 3; failures++)
        {
            await FailClientAsync(producer, holding: 1);
            Assert.Equal((failures, false), (producer.Counters.Replacements, send.IsCompleted));
        }
        await FailClientAsync(producer, holding: 1);

        var outcome = await send.WaitAsync(TimeSpan.FromSeconds(5), Cancellation);
        Assert.Equal((DeliveryStatus.Refused, RetryAdvice.Later), (outcome.Status, outcome.Retry));
        Assert.Equal((1, 0), (producer.Counters.Refused, producer.Counters.Backlog));
    }

    [Fact]
    public async Task A_client_that_cannot_be_made_again_is_tried_again_until_it_can_and_loses_nothing()
    {
        using var authority = new TrustFile();
        await using var producer = new ReliableProducer(authority.Options);
        var notices = new ConcurrentQueue<ProducerNotice>();
        producer.Noticed += (_, notice) => notices.Enqueue(notice);
        var send = producer.Send("remade", "key", "value");
        await Until(() => producer.Client.Handle.OutstandingCount() > 0, () => "the record did not reach librdkafka");

        authority.Remove();
        MakeFatal(producer.Client.Handle);
        await Until(() => notices.Count(IsRefusal) >= 2, () => $"{producer.Counters}");
        Assert.Equal((0, false), (producer.Counters.Replacements, send.IsCompleted));
        authority.Restore();
        await Until(() => producer.Counters.Replacements == 1, () => $"{producer.Counters}");

        await Until(
            () => notices.Any(notice => notice.Kind == ProducerNoticeKind.ClientReplaced && notice.Text.Contains("1 records")),
            () => string.Join('\n', notices.Select(notice => notice.Text)));
        Assert.Equal(1, (await producer.DrainAsync(cancellationToken: Cancellation)).Refused);
        Assert.Equal(DeliveryStatus.Refused, (await send).Status);
    }

    [Fact]
    public async Task A_drain_while_the_client_cannot_be_made_again_ends_in_time_with_every_outcome()
    {
        using var authority = new TrustFile();
        await using var producer = new ReliableProducer(authority.Options);
        var notices = new ConcurrentQueue<ProducerNotice>();
        producer.Noticed += (_, notice) => notices.Enqueue(notice);
        var sends = Enumerable.Range(0, 50).Select(i => producer.Send("unmade", "key", $"{i}")).ToList();
        authority.Remove();
        MakeFatal(producer.Client.Handle);
        await Until(() => notices.Any(IsRefusal), () => $"{producer.Counters}");
        sends.AddRange(Enumerable.Range(50, 50).Select(i => producer.Send("unmade", "key", $"{i}")));

        var report = await producer.DrainAsync(keepLeftovers: true, cancellationToken: Cancellation);

        Assert.InRange(report.Elapsed, TimeSpan.Zero, Short.Flush + Short.Stragglers + TimeSpan.FromSeconds(1));
        Assert.All(await All(sends, TimeSpan.FromSeconds(1)), outcome => Assert.Equal(DeliveryStatus.Refused, outcome.Status));
        Assert.Equal((100, 100), (report.Refused, report.Leftovers.Count));
    }

    [Fact]
    public async Task Records_whose_reports_never_come_are_unknown_and_a_defect_is_told()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("stolen", 1, Cancellation);
        var options = Options(broker) with { Linger = TimeSpan.FromSeconds(30) };
        var backlog = new Backlog(options, _ => { });
        var notices = new NoticeBoard(this);
        var told = new TaskCompletionSource<ProducerNotice>();
        notices.Noticed += (_, notice) =>
        {
            if (notice.Kind == ProducerNoticeKind.Defect)
                told.TrySetResult(notice);
        };
        var client = ProducerClient.Create(new ProducerContext(options, backlog, notices, new Leftovers()));
        WarmUp.Run(client, ["stolen"], Deadline, Cancellation);
        var sends = new PendingSendPool(10, _ => { });
        var tasks = new List<Task<DeliveryOutcome>>();
        for (var i = 0; i < 10; i++)
        {
            var send = sends.Rent();
            tasks.Add(send.Task.AsTask());
            backlog.TryQueue(new OutgoingRecord("stolen", default, Bytes($"{i}")), 0, send);
        }
        var group = backlog.Take(new SendGroup())!;
        foreach (var entry in group.Entries)
            Assert.Equal(KafkaErrorCode.None, client.Send(group, entry));

        // Another queue takes every event in place of the main one, the reports of the purge too.
        using (var elsewhere = EventQueue.New(client.Handle))
        using (var main = EventQueue.Main(client.Handle))
            main.ForwardTo(elsewhere);
        Assert.Empty(client.End());

        Assert.All(await All(tasks, TimeSpan.FromSeconds(1)), outcome => Assert.Equal(DeliveryStatus.Unknown, outcome.Status));
        Assert.Contains("10 records", (await told.Task.WaitAsync(Deadline, Cancellation)).Text, StringComparison.Ordinal);
        Assert.Equal((10, 0), (backlog.Counters.Unknown, backlog.Counters.Backlog));
    }

    private static bool IsRefusal(ProducerNotice notice) =>
        notice.Kind == ProducerNoticeKind.BrokerError && notice.Text.Contains("ssl.ca.location", StringComparison.Ordinal);

    private static async Task FailClientAsync(ReliableProducer producer, int holding)
    {
        var (failing, before) = (producer.Client.Handle, producer.Counters.Replacements);
        await Until(() => failing.OutstandingCount() >= holding, () => "the record did not reach librdkafka");
        MakeFatal(failing);
        await Until(() => producer.Counters.Replacements > before, () => $"{producer.Counters}");
    }

    private static void MakeFatal(ClientHandle client)
    {
        using var call = client.Enter();
        Assert.Equal(KafkaErrorCode.None, Librdkafka.TestFatalError(call.Client, KafkaErrorCode.OutOfOrderSequence, "made up"));
    }

    /// <summary>A file with a certificate authority, without which a TLS client cannot be made; nothing is ever connected to.</summary>
    private sealed class TrustFile : IDisposable
    {
        private readonly string _path = Path.Combine(Path.GetTempPath(), $"{NewName("authority")}.pem");
        private readonly string _pem;

        public TrustFile()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=nobody", key, HashAlgorithmName.SHA256);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
            _pem = certificate.ExportCertificatePem();
            Restore();
        }

        public ProducerOptions Options => new()
        {
            BootstrapServers = "127.0.0.1:1",
            Drain = Short,
            Properties = new Dictionary<string, string> { ["security.protocol"] = "ssl", ["ssl.ca.location"] = _path },
        };

        public void Restore() => File.WriteAllText(_path, _pem);

        public void Remove() => File.Delete(_path);

        public void Dispose() => Remove();
    }
}
