using EvenKeel.Kafka.Publishing;

namespace EvenKeel.Kafka.PostgreSql;

/// <summary>
/// The line of marks that wait for the one command under way; the next command takes all of them. So a single mark goes at once, and many
/// share a round trip and a commit.
/// </summary>
/// <param name="write">Writes marks, all of them or none.</param>
internal sealed class MarkLine(Func<IReadOnlyList<EventMark>, Task> write)
{
    // Guarded by _gate.
    private readonly Lock _gate = new();
    private List<EventMark> _filling = [];
    private TaskCompletionSource _filled = New();
    private bool _writing;

    /// <summary>Ends when the marks are written, with those that came meanwhile; fails with what their command failed with.</summary>
    public Task AddAsync(IReadOnlyList<EventMark> marks)
    {
        Task written;
        lock (_gate)
        {
            _filling.AddRange(marks);
            written = _filled.Task;
            if (_writing)
                return written;
            _writing = true;
        }
        _ = WriteAsync();
        return written;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task WriteAsync()
    {
        while (true)
        {
            List<EventMark> group;
            TaskCompletionSource filled;
            lock (_gate)
            {
                if (_filling.Count == 0)
                {
                    _writing = false;
                    return;
                }
                (group, _filling) = (_filling, []);
                (filled, _filled) = (_filled, New());
            }
            try
            {
                await write(group).ConfigureAwait(false);
                filled.SetResult();
            }
#pragma warning disable CA1031 // It goes to everybody whose marks were in the group.
            catch (Exception error)
            {
                filled.SetException(error);
            }
#pragma warning restore CA1031
        }
    }
}
