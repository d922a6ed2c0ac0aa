using System.Diagnostics;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming.History;

/// <summary>
/// A run of a group whose members come and go at random under load, and its history. Nobody is thrown out here: the embedded broker aborts
/// the process when a member joins again while its last join is not answered.
/// </summary>
internal sealed class GroupRun(IBroker broker, string protocol, int seed)
{
    private const int Partitions = 4;

    // So far the writer runs ahead of the handlers, whatever the machine.
    private const int Ahead = 2_000;

    private readonly string _topic = NewName("churn");
    private readonly string _group = NewName("churn");
    private readonly Heard _heard = new();
    private readonly Random _random = new(seed);

    public GroupHistory History { get; } = new();

    private static TimeSpan TimeToLeave => TimeSpan.FromSeconds(20);

    // A member that did not take its leave keeps its partitions for a session. That of the consumer protocol is the broker's, 45 s unless
    // somebody set it: longer than this run waits.
    private TimeSpan ShortTime => protocol == Consumers.Consumer ? TimeToLeave : TimeSpan.Zero;

    public async Task RunAsync(TimeSpan length, CancellationToken cancellation)
    {
        await broker.CreateTopicAsync(_topic, Partitions, cancellation);
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(() => WriteAsync(stop.Token), cancellation);
        var members = new List<ReliableConsumer> { Join(), Join() };
        var start = Stopwatch.GetTimestamp();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(300));
        while (Stopwatch.GetElapsedTime(start) < length)
        {
            await tick.WaitForNextTickAsync(cancellation);
            var choice = _random.Next(3);
            if (choice == 0 && members.Count < 5)
            {
                members.Add(Join());
            }
            else if (choice == 1 && members.Count > 2)
            {
                var leaver = members[_random.Next(members.Count)];
                members.Remove(leaver);

                // Sometimes without the time to end well: work in hand is given up.
                await leaver.StopAsync(_random.Next(2) == 0 ? TimeToLeave : ShortTime, cancellation);
            }
        }
        await stop.CancelAsync();
        await writing;
        await Until(() => History.HandledDifferent >= History.WrittenCount, () =>
            $"SEED={seed}: {History.HandledDifferent} of {History.WrittenCount} handled; {_heard}");
        await Task.WhenAll(members.Select(member => member.DisposeAsync().AsTask()));
    }

    private ReliableConsumer Join() =>
        new(
            Options(broker, _group, _topic, protocol) with
            {
                Lanes = 4,
                InHand = new InHandLimits { MaxRecords = 200 },
                Deadlines = new ConsumerDeadlines { Close = TimeSpan.FromSeconds(3), Revoke = TimeSpan.FromMilliseconds(500) },
            },
            new HandlerCall(async (ReceivedRecord record, CancellationToken token) =>
            {
                // Some records take their time, so that those behind them are done first.
                if (record.Offset % 7 == 0)
                {
                    using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(1 + record.Offset % 5));
                    await pause.WaitForNextTickAsync(token);
                }
                History.Handle(record);
            }),
            _heard.Take, null, History.Watch(CommitRule.Right));

    private async Task WriteAsync(CancellationToken stop)
    {
        await using var producer = new ReliableProducer(Producers.Options(broker));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var i = 0; !stop.IsCancellationRequested; i += 20)
        {
            var sends = Enumerable.Range(i, 20).Select(async number =>
            {
                var key = $"key-{number % 40}";
                var outcome = await producer.SendAsync(_topic, key, $"{number}", cancellationToken: CancellationToken.None);
                Assert.True(outcome.IsDelivered, $"{outcome}");
                History.Write(_topic, key, outcome);
            });
            await Task.WhenAll(sends);
            while (History.WrittenCount - History.HandledDifferent > Ahead && !stop.IsCancellationRequested)
                await tick.WaitForNextTickAsync(CancellationToken.None);
        }
    }
}
