using System.Collections.Concurrent;
using EvenKeel.Kafka.Publishing;
using Xunit;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>What every repository promises, whatever it is kept in: the tests of each call these.</summary>
internal static class RepositoryContract
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>
    /// Many claimers settle, release and forget events at random, while more are recorded. No event is out twice at a time, none is given
    /// out while an earlier one of its key is unsettled and not before it in the same run, and in the end all are settled.
    /// </summary>
    /// <param name="repositories">Ways into one store.</param>
    /// <param name="seed">Of the choices.</param>
    public static async Task HoldsWithManyClaimers(IReadOnlyList<IEventRepository> repositories, int seed)
    {
        const int Events = 400;
        const int Keys = 7;
        TestContext.Current.TestOutputHelper?.WriteLine($"SEED={seed}");
        var (settled, held) = (new ConcurrentDictionary<long, bool>(), new ConcurrentDictionary<long, bool>());
        var recorded = new ConcurrentBag<RecordedEvent>();
        var recorder = Task.Run(async () =>
        {
            for (var i = 0; i < Events; i++)
            {
                var added = await repositories[i % repositories.Count].RecordAsync(
                    OutgoingEvent.Of("topic", i % Keys == 0 ? null : $"key {i % Keys}", $"{i}"), Cancellation);
                recorded.Add(added);
                await repositories[0].MarkAsync([new EventMark(added, EventFate.Released)], Cancellation);
            }
        });
        var claimers = repositories.Select((repository, number) => Task.Run(() => ClaimAsync(repository, new Random(seed + number)))).ToList();

        await Task.WhenAll([recorder, .. claimers]).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);

        Assert.Equal(Events, settled.Count);
        Assert.Equal(0, (await repositories[0].CountAsync(Cancellation)).Unsettled);

        async Task ClaimAsync(IEventRepository repository, Random random)
        {
            while (settled.Count < Events)
            {
                var claimed = await repository.ClaimDueAsync(random.Next(1, 30), Cancellation);
                var inRun = claimed.Select(next => next.Position).ToHashSet();
                foreach (var next in claimed)
                {
                    Assert.True(held.TryAdd(next.Position, true), $"event {next.Position} is out twice");
                    Assert.False(settled.ContainsKey(next.Position), $"event {next.Position} was settled");
                }
                foreach (var run in claimed.GroupBy(next => next.Event.Key.IsEmpty ? $"{next.Position}" : Text(next.Event, key: true)))
                    await EndAsync(repository, [.. run], inRun, random);
            }
        }

        async Task EndAsync(IEventRepository repository, List<RecordedEvent> run, HashSet<long> inRun, Random random)
        {
            var ahead = recorded.Where(other => !run[0].Event.Key.IsEmpty && other.Event.Key.Span.SequenceEqual(run[0].Event.Key.Span)
                && other.Position < run[^1].Position && !inRun.Contains(other.Position)).ToList();
            Assert.All(ahead, other => Assert.True(settled.ContainsKey(other.Position), $"{other.Position} is ahead of {run[0].Position}"));
            Assert.Equal(run.Select(next => next.Position).Order(), run.Select(next => next.Position));
            var ending = random.Next(run.Count + 1);
            foreach (var next in run[..ending])
            {
                settled[next.Position] = true;
                held.TryRemove(next.Position, out _);
            }
            await repository.MarkAsync([.. run[..ending].Select(next => new EventMark(next, EventFate.Delivered))], Cancellation);
            foreach (var next in run[ending..])
                held.TryRemove(next.Position, out _);
            if (ending < run.Count)
                await repository.MarkAsync([.. run[ending..].Select(next => new EventMark(next, EventFate.Released))], Cancellation);
        }
    }

    /// <summary>Who holds no claim gets none while another lasts, and cannot give it back.</summary>
    public static async Task KeepsClaimsApart(IEventRepository repository)
    {
        var first = await repository.RecordAsync(OutgoingEvent.Of("topic", "key", "1"), Cancellation);
        var second = await repository.RecordAsync(OutgoingEvent.Of("topic", "key", "2"), Cancellation);
        var stranger = first with { Claim = Guid.NewGuid() };
        Assert.True(first.Position < second.Position);

        Assert.Empty(await repository.ClaimDueAsync(10, Cancellation)); // Fresh: theirs who recorded them.
        Assert.True(await repository.TryClaimAsync(first, Cancellation));
        Assert.False(await repository.TryClaimAsync(second, Cancellation)); // Behind.
        Assert.False(await repository.TryClaimAsync(stranger, Cancellation));
        await repository.MarkAsync([new EventMark(stranger, EventFate.Released)], Cancellation);
        Assert.Empty(await repository.ClaimDueAsync(10, Cancellation));

        await repository.MarkAsync([new EventMark(first, EventFate.Released, "later", TimeSpan.FromHours(1))], Cancellation);
        Assert.Empty(await repository.ClaimDueAsync(10, Cancellation)); // Not before the pause.
        await repository.MarkAsync([new EventMark(first, EventFate.Released, "now")], Cancellation);
        var run = await repository.ClaimDueAsync(10, Cancellation);
        Assert.Equal([first.Position, second.Position], run.Select(next => next.Position));
        Assert.False(await repository.TryClaimAsync(first, Cancellation)); // The sweeper's now.

        await repository.MarkAsync([new EventMark(run[0], EventFate.Delivered)], Cancellation);
        await repository.MarkAsync([new EventMark(first, EventFate.Released)], Cancellation); // Settled stays settled.
        Assert.False(await repository.TryClaimAsync(first, Cancellation));
        Assert.Equal(1, (await repository.CountAsync(Cancellation)).Unsettled);
        await repository.MarkAsync([new EventMark(run[1], EventFate.Released)], Cancellation);
        Assert.Equal([second.Position], (await repository.ClaimDueAsync(10, Cancellation)).Select(next => next.Position));
    }

    /// <summary>All that an event carries, in one line to compare.</summary>
    public static string Text(OutgoingEvent outgoing) => Text(outgoing, key: false);

    private static string Text(OutgoingEvent outgoing, bool key) => key
        ? Convert.ToHexString(outgoing.Key.Span)
        : $"{outgoing.Id} {outgoing.Topic} {Convert.ToHexString(outgoing.Key.Span)} "
            + $"{(outgoing.Value is { } value ? Convert.ToHexString(value.Span) : "null")} {outgoing.TimestampMs} "
            + string.Join(' ', outgoing.Headers.Select(
                header => $"{header.Name}={(header.Value is { } bytes ? Convert.ToHexString(bytes.Span) : "null")}"));
}
