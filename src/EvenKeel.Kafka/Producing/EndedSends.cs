namespace EvenKeel.Kafka.Producing;

/// <summary>
/// Records whose outcome came, a batch at a time: their slots, to be freed, and those whose callers wait. As a work item it lets these
/// continue: one item each, so that one that blocks holds up no other. Reused.
/// </summary>
internal sealed class EndedSends(EndedSendsPool pool) : IThreadPoolWorkItem
{
    private readonly List<PendingSend> _awaited = [];

    public List<int> Slots { get; } = [];

    public long Delivered { get; private set; }

    public long Refused { get; private set; }

    public long Unknown { get; private set; }

    public long GivenBack { get; private set; }

    /// <summary>Notes the outcome of a record and hands it to its caller, who continues after <see cref="Continue"/>.</summary>
    public void Add(int slot, PendingSend send, in DeliveryOutcome outcome)
    {
        Slots.Add(slot);
        AddWithoutSlot(send, outcome);
    }

    /// <summary>Frees the slot of a record that has no outcome here: its sink has it.</summary>
    public void AddGivenBack(int slot)
    {
        Slots.Add(slot);
        GivenBack++;
    }

    /// <summary>The same for a record that never had a slot.</summary>
    public void AddWithoutSlot(PendingSend send, in DeliveryOutcome outcome)
    {
        switch (outcome.Status)
        {
            case DeliveryStatus.Delivered:
                Delivered++;
                break;
            case DeliveryStatus.Refused:
                Refused++;
                break;
            default:
                Unknown++;
                break;
        }
        if (send.Resolve(outcome))
            _awaited.Add(send);
    }

    /// <summary>Lets the callers continue, on the thread pool. This batch is not the caller's any more.</summary>
    public void Continue()
    {
        if (_awaited.Count > 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        else
            pool.Return(this);
    }

    public void Execute()
    {
        for (var i = 0; i < _awaited.Count - 1; i++)
            ThreadPool.UnsafeQueueUserWorkItem(_awaited[i], preferLocal: true);
        var last = _awaited[^1];
        pool.Return(this);
        last.Execute();
    }

    public void Clear()
    {
        _awaited.Clear();
        Slots.Clear();
        (Delivered, Refused, Unknown, GivenBack) = (0, 0, 0, 0);
    }
}

/// <summary>A few batches for reuse.</summary>
internal sealed class EndedSendsPool
{
    private const int Capacity = 16;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Stack<EndedSends> _idle = new();

    public EndedSends Rent()
    {
        lock (_gate)
        {
            if (_idle.TryPop(out var batch))
                return batch;
        }
        return new EndedSends(this);
    }

    public void Return(EndedSends batch)
    {
        batch.Clear();
        lock (_gate)
        {
            if (_idle.Count < Capacity)
                _idle.Push(batch);
        }
    }
}
