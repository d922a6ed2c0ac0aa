using System.Collections.Concurrent;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Isolation;

namespace EvenKeel.Testing.Workers;

/// <summary>
/// The test run is one test process from its first test to its end: one cluster, the workers that its tests run on, and everything that
/// has to be gone afterwards. A test framework's package makes one for an assembly.
/// </summary>
public sealed class TestRun : IAsyncDisposable
{
    private readonly WorkerSlots _slots;
    private readonly RunFile _file;
    private readonly ConcurrentDictionary<int, TestWorker> _workers = new();
    private readonly ConcurrentDictionary<Task, string> _background = new();
    private readonly ConcurrentQueue<(string What, Func<Task> Work, bool IsBesideClients)> _atEnd = new();
    private readonly ConcurrentDictionary<string, Lazy<IDisposable>> _shared = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _starting = new(1);
    private readonly SemaphoreSlim _sweeping = new(1);
    private readonly PortLeases _ports;
    private readonly TempFolders _temps;
    private readonly SqliteFiles _sqlite;
    private readonly Lock _gate = new();

    // Guarded by _starting until it is set, once.
    private TestCluster? _cluster;
    private BrokerSweep? _sweep;

    // Guarded by _gate.
    private Task? _stopping;

    /// <summary>Begins a run, and sweeps what dead runs of this machine have left on its disk. Starts no broker yet.</summary>
    /// <param name="options">Absent: the defaults.</param>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    public TestRun(TestRunOptions? options = null)
    {
        Options = options ?? new TestRunOptions();
        if (Options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(options));
        Folder = LeaseFolder.Open(Options.LeaseDirectory ?? LeaseFolder.Default);
        CallingTest.Know(Options);
        Gates = new ResourceGates(Folder, Options.Time);
        _ports = new PortLeases(Folder);
        _slots = new WorkerSlots(Folder);
        _file = RunFile.Create(Folder, RunId.New(Options.Time));
        _temps = new TempFolders(Folder, _file.Run, Options.Time);
        _sqlite = new SqliteFiles(_temps);
        Leaks = new LeakCheck(Options.OwnsTempFolder ? _temps.CreateOwn() : null);
        InBackground(Task.Run(SweepHereAsync), "Sweeping what dead runs left on this machine");
    }

    /// <summary>The short id that all names of this run share.</summary>
    public string Id => _file.Run.Text;

    /// <summary>What it was set up with.</summary>
    public TestRunOptions Options { get; }

    /// <summary>Where tests wait for what they may not use at the same time.</summary>
    public ResourceGates Gates { get; }

    /// <summary>What is still there when it should be gone; looked at by whoever runs the tests.</summary>
    public LeakCheck Leaks { get; }

    /// <summary>The cluster, if it is started.</summary>
    public TestCluster? Started => Volatile.Read(ref _cluster);

    internal LeaseFolder Folder { get; }

    internal RunId RunId => _file.Run;

    /// <summary>The cluster, started with the first call.</summary>
    /// <param name="cancellationToken">Ends the start.</param>
    public async ValueTask<TestCluster> ClusterAsync(CancellationToken cancellationToken = default)
    {
        if (Volatile.Read(ref _cluster) is { } started)
            return started;
        await _starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_cluster is not null)
                return _cluster;
            ThrowIfStopping();
            var cluster = await TestCluster.StartAsync(Options.Cluster, cancellationToken).ConfigureAwait(false);
            if (cluster.Broker is ExternalBroker real)
            {
                _sweep = new BrokerSweep(this, real);
                SweepInBackground($"kafka {cluster.BootstrapServers}", _sweep.RunAsync);
            }
            Volatile.Write(ref _cluster, cluster);
            return cluster;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>
    /// Leases a worker: nobody else, in this process or another on this machine, has its number until it is given back. What it made stays
    /// and is used again by the next holder here.
    /// </summary>
    /// <returns>Give it back with <see cref="GiveBack"/>.</returns>
    public TestWorker LeaseWorker()
    {
        ThrowIfStopping();
        var number = _slots.Take();
        return _workers.GetOrAdd(number, static (taken, run) => new TestWorker(run, taken), this);
    }

    /// <summary>Ends a lease.</summary>
    /// <param name="worker">A worker of this run, with no test running on it.</param>
    public void GiveBack(TestWorker worker)
    {
        ArgumentNullException.ThrowIfNull(worker);
        worker.Rest();
        _slots.GiveBack(worker.Number);
    }

    /// <summary>
    /// A port from 15000 to 25000 that nobody else who leases has, in this process or another on this machine, until the lease is disposed
    /// of or the run ends.
    /// </summary>
    /// <exception cref="InvalidOperationException">All are leased or in use.</exception>
    public PortLease LeasePort() => _ports.Take();

    /// <summary>
    /// Notes a place outside this machine's disk where the run leaves things, and removes what runs that died have left there.
    /// </summary>
    /// <param name="place">A name, the same in each run, such as the address of a database server.</param>
    /// <param name="sweep">
    /// Removes what bears a run id for which it is told true: the run is dead, or unknown and older than
    /// <see cref="TestRunOptions.SweepAge"/>.
    /// </param>
    public async Task SweepAsync(string place, Func<Func<string, bool>, Task> sweep)
    {
        ArgumentNullException.ThrowIfNull(sweep);

        // Noted before anything is made there: from then on a crash leaves something to sweep.
        _file.Note(place);
        await _sweeping.WaitAsync().ConfigureAwait(false);
        var dead = RunFile.TakeDead(Folder).ToList();
        try
        {
            await sweep(id => IsStale(new RunId(id), dead)).ConfigureAwait(false);
            dead.ForEach(file => file.Settle(place));
        }
        finally
        {
            dead.ForEach(file => file.Dispose());
            _sweeping.Release();
        }
    }

    /// <summary>
    /// As <see cref="SweepAsync"/>, beside the tests. What fails is tried once more at the end of the run, and told if it fails again: a
    /// killed process is a member of its groups until its session is over.
    /// </summary>
    /// <param name="place">A name, the same in each run, such as the address of a database server.</param>
    /// <param name="sweep">Removes what bears a run id for which it is told true.</param>
    public void SweepInBackground(string place, Func<Func<string, bool>, Task> sweep) =>
        InBackground(SweepTwiceAsync(place, sweep), $"Sweeping what dead runs left at {place}");

    /// <summary>Lets something be done at the end of the run, after the clients; what it throws is told and fails nothing.</summary>
    /// <param name="what">For the message.</param>
    /// <param name="work">Bounded by <see cref="TestRunOptions.StopLimit"/>.</param>
    /// <param name="isBesideClients">It needs no client of the run to be closed first, and does not wait for that.</param>
    public void AtEnd(string what, Func<Task> work, bool isBesideClients = false) => _atEnd.Enqueue((what, work, isBesideClients));

    /// <summary>One client for the whole run, such as a service's producer: made once, in its turn, disposed of at the end.</summary>
    /// <typeparam name="T">The client's type.</typeparam>
    /// <param name="name">The same name answers the same client.</param>
    /// <param name="create">Creates it.</param>
    public T SharedClient<T>(string name, Func<T> create)
        where T : class, IDisposable
    {
        ArgumentNullException.ThrowIfNull(create);
        var shared = _shared.GetOrAdd(name, _ => new Lazy<IDisposable>(() => CreationGate.Run(create)));
        return shared.Value as T
            ?? throw new InvalidOperationException(
                $"The shared client '{name}' is a {shared.Value.GetType().Name} and no {typeof(T).Name}.");
    }

    /// <summary>
    /// Ends the run: closes every client, deletes the topics and groups from a real broker, ends the cluster. What fails is a diagnostic,
    /// never an exception: no test is to fail for it.
    /// </summary>
    public ValueTask DisposeAsync()
    {
        lock (_gate)
            _stopping ??= StopAsync();
        return new ValueTask(_stopping);
    }

    /// <summary>After the end of the run: what is left of its tests, each with the test that made it.</summary>
    public Task<IReadOnlyList<Leak>> FindLeaksAsync() => Leaks.FinishAsync();

    internal TempFolders Temps => _temps;

    internal SqliteFiles Sqlite => _sqlite;

    internal void Tell(string diagnostic) => Options.Diagnostics?.Invoke(diagnostic);

    /// <summary>Lets work go on beside the tests; the end of the run waits for it, and tells its failure.</summary>
    internal void InBackground(Task work, string what)
    {
        _background[work] = what;
        _ = work.ContinueWith(
            done =>
            {
                _background.TryRemove(done, out _);
                if (done.Exception is { } failed)
                    Tell($"{what}: {failed.GetBaseException().Message}");
            },
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task SweepTwiceAsync(string place, Func<Func<string, bool>, Task> sweep)
    {
        try
        {
            await SweepAsync(place, sweep).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // The second try tells it.
        catch (Exception)
        {
            AtEnd($"Sweeping what dead runs left at {place}", () => SweepAsync(place, sweep));
        }
#pragma warning restore CA1031
    }

    private async Task StopAsync()
    {
        // 1. No worker is leased any more. What has nothing to do with Kafka, such as databases, goes beside all that follows.
        // 2. Clients go first: a topic that is deleted under a consumer would make it complain. What still runs beside the tests is
        //    waited for.
        // 3. Topics and the like go side by side.
        // 4. The cluster, the folders, and, if all is gone, the note that it has to be swept; then the slots.
        var beside = EndAsync(isBesideClients: true);
        await SettleAsync(_workers.Values.SelectMany(worker => worker.CloseClients()), "Closing a consumer").ConfigureAwait(false);
        await SettleAsync(
            _shared.Values.Where(shared => shared.IsValueCreated).Select(shared => Task.Run(shared.Value.Dispose)),
            "Disposing of a shared client").ConfigureAwait(false);
        await SettleAsync([.. _background.Keys], "Work beside the tests").ConfigureAwait(false);
        if (_sweep is not null)
            AtEnd("Deleting the topics and groups of this run", () => _sweep.DeleteAllAsync(TopicsMade(), GroupsNamed()));
        var isClean = await EndAsync(isBesideClients: false).ConfigureAwait(false);
        if (_cluster is { } cluster)
            await SettleAsync([cluster.DisposeAsync().AsTask()], "Stopping the cluster").ConfigureAwait(false);
        isClean &= await beside.ConfigureAwait(false);
        Leaks.EndFiles();
        isClean &= await SettleAsync([Task.Run(_temps.Clear)], "Deleting temporary folders").ConfigureAwait(false);
        if (isClean)
            _file.Clear();
        else
            _file.Dispose();
        _ports.Dispose();
        _slots.Dispose();
    }

    private async Task<bool> EndAsync(bool isBesideClients)
    {
        var endings = _atEnd.Where(ending => ending.IsBesideClients == isBesideClients)
            .Select(ending => SettleAsync([Task.Run(ending.Work)], ending.What)).ToArray();
        return (await Task.WhenAll(endings).ConfigureAwait(false)).All(ended => ended);
    }

    /// <summary>What dead runs left on this machine's disk; a run that left nothing elsewhere is forgotten.</summary>
    private async Task SweepHereAsync()
    {
        await _sweeping.WaitAsync().ConfigureAwait(false);
        try
        {
            foreach (var dead in RunFile.TakeDead(Folder))
            {
                using (dead)
                {
                    _temps.ClearDead(dead.Run);
                    dead.Settle("");
                }
            }
            _temps.ClearOld();
        }
        finally
        {
            _sweeping.Release();
        }
    }

    private bool IsStale(RunId owner, List<RunFile> dead)
    {
        if (dead.Any(file => file.Run == owner))
            return true;
        return RunFile.StateOf(Folder, owner) switch
        {
            RunState.Alive => false,
            RunState.Dead => true,
            _ => Options.Time.GetUtcNow() - owner.StartedAt > Options.SweepAge,
        };
    }

    private string[] TopicsMade() => [.. _workers.Values.SelectMany(worker => worker.TopicsMade)];

    private string[] GroupsNamed() => [.. _workers.Values.SelectMany(worker => worker.GroupsNamed)];

    private async Task<bool> SettleAsync(IEnumerable<Task> work, string what)
    {
        var all = Task.WhenAll(work);
        try
        {
            await all.WaitAsync(Options.StopLimit).ConfigureAwait(false);
            return true;
        }
#pragma warning disable CA1031 // An error in clean-up is told and fails nothing: the tests' results are what they are.
        catch (Exception failed)
        {
            foreach (var one in all.Exception?.InnerExceptions ?? [failed])
                Tell($"{what} at the end of the run: {one.Message}");
            return false;
        }
#pragma warning restore CA1031
    }

    private void ThrowIfStopping()
    {
        lock (_gate)
            ObjectDisposedException.ThrowIf(_stopping is not null, this);
    }
}
