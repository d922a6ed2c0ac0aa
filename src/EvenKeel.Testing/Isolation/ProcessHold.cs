using System.Collections.Concurrent;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// A hold on a piece of state that the whole process shares: nobody else who asks can hold it too, and when it ends the state is as it was.
/// </summary>
internal sealed class ProcessHold : IDisposable
{
    // Longer than a test that holds such state should take; past it somebody has forgotten to dispose of a scope.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly ConcurrentDictionary<string, ResourceLock> Locks = new(StringComparer.Ordinal);

    private readonly Stack<Action> _ends = new();
    private int _disposed;

    private ProcessHold()
    {
    }

    /// <summary>Takes all pieces, in the order of their names.</summary>
    /// <exception cref="TimeoutException">One is held for too long; the message names by whom.</exception>
    public static async Task<ProcessHold> TakeAsync(IEnumerable<string> pieces, TimeSpan? limit = null)
    {
        var hold = new ProcessHold();
        var holder = $"{CallingTest.Name ?? "no test"} ({Guid.NewGuid():N})";
        try
        {
            foreach (var piece in pieces.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                var gate = Locks.GetOrAdd(piece, static name => new ResourceLock(name));
                await gate.EnterAsync(Access.Write, holder, limit ?? Limit, TimeProvider.System, CallingTest.Cancellation)
                    .ConfigureAwait(false);
                var mark = LeakRegister.Open(LeakKind.Environment, piece);
                hold._ends.Push(() =>
                {
                    mark.Close();
                    gate.Exit(holder);
                });
            }
            return hold;
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>Changes the state; the change is undone before the piece is given back.</summary>
    public void Change(Action change, Action undo)
    {
        _ends.Push(undo);
        try
        {
            change();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        while (_ends.TryPop(out var end))
            end();
    }
}
