using System.Diagnostics;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// A resource lock lets readers in together and writers alone, in the order in which they came: a writer that waits holds back the readers
/// behind it, so that it gets its turn.
/// </summary>
internal sealed class ResourceLock(string resource)
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly LinkedList<Waiter> _waiting = [];
    private readonly List<string> _holders = [];
    private bool _isWritten;

    /// <exception cref="TimeoutException">Not within the limit; the message names who has it.</exception>
    public async Task EnterAsync(Access access, string holder, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        LinkedListNode<Waiter> place;
        lock (_gate)
        {
            place = _waiting.AddLast(new Waiter(access, holder));
            LetInLocked();
        }
        try
        {
            await place.Value.Turn.Task.WaitAsync(limit, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception ended) when (ended is TimeoutException or OperationCanceledException)
        {
            lock (_gate)
            {
                if (place.List is not null)
                {
                    _waiting.Remove(place);
                    LetInLocked();
                    if (ended is TimeoutException)
                        throw new TimeoutException(
                            $"'{holder}' did not get '{resource}' to {access} within {limit}: held by {string.Join(", ", _holders)}.",
                            ended);
                    throw;
                }
            }

            // The turn came at the same moment: it is taken, or given up like any other.
            if (ended is OperationCanceledException)
            {
                Exit(holder);
                throw;
            }
        }
    }

    public void Exit(string holder)
    {
        lock (_gate)
        {
            var found = _holders.Remove(holder);
            Debug.Assert(found, $"{holder} holds {resource}");
            if (_holders.Count == 0)
                _isWritten = false;
            LetInLocked();
        }
    }

    private void LetInLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "who comes next is decided under the gate");
        while (_waiting.First is { Value: var next } first && !_isWritten && (next.Access == Access.Read || _holders.Count == 0))
        {
            _waiting.Remove(first);
            _holders.Add(next.Holder);
            _isWritten = next.Access == Access.Write;
            next.Turn.SetResult();
        }
    }

    private sealed record Waiter(Access Access, string Holder)
    {
        public TaskCompletionSource Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
