namespace EvenKeel.Testing.Workers;

/// <summary>
/// Worker slots are small numbers, each with one holder on the machine at a time: across threads here, across processes by a lease file. A
/// slot that is given back stays leased to this process and goes to the next holder here, with all that was made under its names.
/// </summary>
internal sealed class WorkerSlots(LeaseFolder folder) : IDisposable
{
    private const int MaxSlots = 4096;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly SortedDictionary<int, LeaseFile> _leases = [];
    private readonly SortedSet<int> _free = [];
    private bool _isDisposed;

    /// <returns>The lowest number that nobody has.</returns>
    public int Take()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_free.Count > 0)
            {
                var known = _free.Min;
                _free.Remove(known);
                return known;
            }
            for (var number = 0; number < MaxSlots; number++)
            {
                if (_leases.ContainsKey(number) || folder.TryTake($"slot-{number}.lock") is not { } lease)
                    continue;
                _leases[number] = lease;
                return number;
            }
        }
        throw new InvalidOperationException(
            $"All {MaxSlots} worker slots of {folder.Path} are leased: is something leasing workers in a loop without giving them back?");
    }

    public void GiveBack(int number)
    {
        lock (_gate)
        {
            if (!_isDisposed && !_free.Add(number))
                throw new InvalidOperationException($"Worker slot {number} was given back twice.");
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            foreach (var lease in _leases.Values)
                lease.Dispose();
            _leases.Clear();
            _free.Clear();
        }
    }
}
