using System.Collections.Concurrent;
using EvenKeel.Kafka.Publishing;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>A real repository in front of which each step can be made to fail, or to wait.</summary>
internal sealed class BrittleRepository(IEventRepository inner) : IEventRepository
{
    /// <summary>The place of each event that was recorded through it.</summary>
    public ConcurrentDictionary<string, long> Positions { get; } = [];

    public Func<OutgoingEvent, Task>? BeforeRecord { get; set; }

    public Func<Task>? BeforeClaim { get; set; }

    /// <summary>Before the answer to a claim that failed.</summary>
    public Func<Task>? AfterRefusedClaim { get; set; }

    public Func<Task>? BeforeSweep { get; set; }

    public Func<IReadOnlyList<EventMark>, Task>? BeforeMark { get; set; }

    public static Task Fail() => throw new EventRepositoryException("The repository is down, as the test wants it.");

    public async ValueTask<RecordedEvent> RecordAsync(OutgoingEvent outgoing, CancellationToken cancellationToken = default)
    {
        if (BeforeRecord is { } before)
            await before(outgoing);
        var recorded = await inner.RecordAsync(outgoing, cancellationToken);
        Positions[outgoing.Id.ToString()] = recorded.Position;
        return recorded;
    }

    public async ValueTask<bool> TryClaimAsync(RecordedEvent recorded, CancellationToken cancellationToken = default)
    {
        if (BeforeClaim is { } before)
            await before();
        var isClaimed = await inner.TryClaimAsync(recorded, cancellationToken);
        if (!isClaimed && AfterRefusedClaim is { } after)
            await after();
        return isClaimed;
    }

    public async ValueTask<IReadOnlyList<RecordedEvent>> ClaimDueAsync(int maxEvents, CancellationToken cancellationToken = default)
    {
        if (BeforeSweep is { } before)
            await before();
        return await inner.ClaimDueAsync(maxEvents, cancellationToken);
    }

    public async ValueTask MarkAsync(IReadOnlyList<EventMark> marks, CancellationToken cancellationToken = default)
    {
        if (BeforeMark is { } before)
            await before(marks);
        await inner.MarkAsync(marks, cancellationToken);
    }

    public ValueTask TidyAsync(CancellationToken cancellationToken = default) => inner.TidyAsync(cancellationToken);

    public ValueTask<EventBacklog> CountAsync(CancellationToken cancellationToken = default) => inner.CountAsync(cancellationToken);
}
