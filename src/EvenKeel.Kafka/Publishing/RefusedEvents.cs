using EvenKeel.Queue;

namespace EvenKeel.Kafka.Publishing;

/// <summary>The events that Kafka will never take, each with the reason, in a log of their own that nobody reads up: kept until a person
/// moves the folder away.</summary>
internal sealed class RefusedEvents(DurableQueueOptions options) : IAsyncDisposable
{
    // Guarded by _opening: opened with the first refused event, or when there are some.
    private readonly SemaphoreSlim _opening = new(1, 1);
    private volatile DurableQueue? _log = System.IO.Directory.Exists(options.Directory) ? DurableQueue.Open(options) : null;

    public long Count => _log is { } log ? log.Durable - log.Head : 0;

    public async ValueTask KeepAsync(EventMark mark)
    {
        try
        {
            var log = _log ?? await OpenAsync().ConfigureAwait(false);
            await log.AppendAsync(
                EventRecord.OfReason(mark.Reason ?? "no reason was given"), EventRecord.Of(mark.Event.Position, mark.Event.Event))
                .ConfigureAwait(false);
        }
        catch (DurableQueueException refused)
        {
            throw new EventRepositoryException(
                $"The refused event {mark.Event.Event.Id} for '{mark.Event.Event.Topic}' cannot be kept in '{options.Directory}' and stays "
                + $"unsettled: {refused.Message} Look at what is there, and move it away while the process is down.",
                refused);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_log is { } log)
            await log.DisposeAsync().ConfigureAwait(false);
        _opening.Dispose();
    }

    private async ValueTask<DurableQueue> OpenAsync()
    {
        await _opening.WaitAsync().ConfigureAwait(false);
        try
        {
            return _log ??= DurableQueue.Open(options);
        }
        finally
        {
            _opening.Release();
        }
    }
}
