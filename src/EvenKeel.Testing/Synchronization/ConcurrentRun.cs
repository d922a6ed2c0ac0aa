using System.Diagnostics.CodeAnalysis;

namespace EvenKeel.Testing.Synchronization;

/// <summary>A concurrent run is the threads of one call of <see cref="Concurrently"/> and what they did.</summary>
internal sealed class ConcurrentRun
{
    private const string Started = "start";
    private const string Ended = "end";
    private readonly ConcurrentThread[] _members;
    private readonly int? _seed;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<(int Thread, string Point)> _points = [];
    private readonly List<(int Thread, Exception Thrown)> _failures = [];

    // Starting thread only.
    private readonly List<Thread> _threads = [];

    public ConcurrentRun(int members, int? seed)
    {
        _seed = seed;
        _members = [.. Enumerable.Range(0, members).Select(number => new ConcurrentThread(this, number, seed))];
    }

    public Interleaving Interleaving
    {
        get
        {
            lock (_gate)
                return new Interleaving([.. _points], _seed);
        }
    }

    public void Pass(int member, string point)
    {
        lock (_gate)
            _points.Add((member, point));
    }

    public void Start(Action<ConcurrentThread> action)
    {
        // The last to arrive disposes of nothing: a barrier without a wait handle holds nothing.
        var barrier = new Barrier(_members.Length);
        foreach (var member in _members)
        {
            var thread = new Thread(() =>
            {
                barrier.SignalAndWait();
                Guard(member, () => action(member));
            })
            {
                IsBackground = true,
                Name = $"concurrently {member.Number}",
            };
            _threads.Add(thread);
            thread.Start();
        }
    }

    public void Await(Deadline deadline)
    {
        foreach (var thread in _threads)
        {
            if (!thread.Join(deadline.Left))
                throw Late(deadline);
        }
        ThrowIfFailed();
    }

    public async Task StartAsync(Func<ConcurrentThread, Task> action)
    {
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var waiting = new CountdownEvent(_members.Length);
        var tasks = _members.Select(member => Task.Run(async () =>
        {
            if (waiting.Signal())
                start.SetResult();
            await start.Task.ConfigureAwait(false);
            Pass(member.Number, Started);
            try
            {
                await action(member).ConfigureAwait(false);
            }
            catch (Exception thrown) when (Keep(member, thrown))
            {
                return;
            }
            finally
            {
                Pass(member.Number, Ended);
            }
        })).ToArray();
        await Task.WhenAll(tasks).ConfigureAwait(false);
        waiting.Dispose();
    }

    public TimeoutException Late(Deadline deadline)
    {
        var order = Interleaving;
        var missing = _members.Where(member => !order.Points.Contains((member.Number, Ended)))
            .Select(member => $"thread {member.Number} after '{order.Points.LastOrDefault(point => point.Thread == member.Number).Point}'");
        return new TimeoutException(
            $"Not ended within {deadline.Limit.TotalSeconds:0.###} s: {string.Join(", ", missing)}. Order: {order}");
    }

    public void ThrowIfFailed()
    {
        lock (_gate)
        {
            if (_failures.Count > 0)
                throw new ConcurrentRunException(new Interleaving([.. _points], _seed), [.. _failures]);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Every exception is kept and thrown together by whoever waits.")]
    private void Guard(ConcurrentThread member, Action action)
    {
        Pass(member.Number, Started);
        try
        {
            action();
        }
        catch (Exception thrown)
        {
            Keep(member, thrown);
        }
        finally
        {
            Pass(member.Number, Ended);
        }
    }

    private bool Keep(ConcurrentThread member, Exception thrown)
    {
        lock (_gate)
            _failures.Add((member.Number, thrown));
        return true;
    }
}
