using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using EvenKeel.Testing.Isolation;
using EvenKeel.Testing.Workers;
using Xunit;
using Xunit.v3;

namespace EvenKeel.Testing.XunitV3;

/// <summary>The kit's run of one test assembly: which collection has which worker, which test runs there, and who may run now.</summary>
internal sealed class KitRun : IAsyncDisposable
{
    // Sorts before every resource that people name: whoever waits to be alone holds nothing that somebody else needs to end.
    private const string WholeAssembly = "\u0001assembly";
    private const string NoParallelOf = "\u0002no-parallel ";
    private const string OutsideCollections = "";

    private static KitRun? Latest;

    private readonly SemaphoreSlim? _kafkaTests;
    private readonly ConcurrentDictionary<string, Lazy<WorkerHold>> _holds = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _failed = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _ended = new(StringComparer.Ordinal);

    private KitRun(KitOptions options)
    {
        Options = options;
        _kafkaTests = options.MaxKafkaTestsAtOnce == int.MaxValue ? null : new SemaphoreSlim(options.MaxKafkaTestsAtOnce);
        Run = new TestRun(options.Run with
        {
            Diagnostics = options.Run.Diagnostics ?? Tell,
            Cancellation = () => TestContext.Current.CancellationToken,
            Unstable = options.Run.Unstable ?? Warn,
            CurrentTest = () => TestContext.Current.Test?.TestDisplayName,
        });
    }

    /// <summary>The one that began last: an assembly's fixtures are made after its run has begun.</summary>
    public static KitRun Current => Volatile.Read(ref Latest) ?? throw new InvalidOperationException(
        "No test run of the kit has begun. Write [assembly: UseKafkaKit] in the test project.");

    public KitOptions Options { get; }

    public TestRun Run { get; }

    /// <summary>The worker of the collection, or of the test, that asks; leased with the first question.</summary>
    /// <exception cref="InvalidOperationException">No test asks, or one that has ended.</exception>
    public TestWorker Worker
    {
        get
        {
            var context = TestContext.Current;

            // Another worker would be no help: whoever asks would look at topics that nobody writes to.
            if (context.TestAssembly is null)
                throw new InvalidOperationException(
                    "The kit was asked where no test is known, such as on a client's callback thread or a thread of your own: ask for "
                    + "topics, groups and consumers in the test or its fixture, and hand them over.");
            var collection = context.TestCollection?.UniqueID ?? OutsideCollections;
            var test = context.Test;
            var key = Options.WorkerPerTest && test is not null ? test.UniqueID : collection;
            if (test is not null)
                ThrowIfEnded(test.UniqueID, test.TestDisplayName);
            var hold = _holds.GetOrAdd(key, _ => new Lazy<WorkerHold>(() => new WorkerHold(this, Run.LeaseWorker()))).Value;
            if (test is not null)
                hold.Begin(test.UniqueID, test.TestDisplayName);
            return hold.Worker;
        }
    }

    public static KitRun Begin(IXunitTestAssembly assembly)
    {
        var setup = assembly.Assembly.GetCustomAttribute<UseKafkaKitAttribute>()?.Setup;
        var options = setup is null ? new KitOptions() : Activator.CreateInstance(setup) switch
        {
            IKitSetup own => own.Configure(),
            _ => throw new InvalidOperationException($"{setup} in [assembly: UseKafkaKit] does not implement {nameof(IKitSetup)}."),
        };
        var run = new KitRun(options);
        Volatile.Write(ref Latest, run);
        return run;
    }

    /// <summary>Waits until the test case may run beside those that do; a Kafka test finds the cluster started.</summary>
    public async Task<IDisposable> EnterAsync(IXunitTestCase testCase, CancellationToken cancellationToken)
    {
        MemberInfo[] members = [testCase.TestMethod.Method, testCase.TestClass.Class];
        var claims = new List<ResourceClaim>
        {
            new(WholeAssembly, members.Any(Has<SerialAttribute>) ? Access.Write : Access.Read),
        };
        foreach (var member in members)
        {
            claims.AddRange(member.GetCustomAttributes<NoParallelAttribute>()
                .Select(marker => new ResourceClaim(NoParallelOf + marker.Kind, Access.Write)));
            claims.AddRange(member.GetCustomAttributes<SharedResourceAttribute>()
                .Select(marker => new ResourceClaim(marker.Resource, marker.Access, marker.AcrossProcesses)));
        }
        var claimed = await Run.Gates.EnterAsync(claims, testCase.TestCaseDisplayName, Options.GateLimit, cancellationToken);
        if (!members.Any(Has<KafkaTestAttribute>))
            return claimed;
        var isCounted = false;
        try
        {
            if (_kafkaTests is not null)
            {
                isCounted = await _kafkaTests.WaitAsync(Options.GateLimit, cancellationToken);
                if (!isCounted)
                    throw new TimeoutException(
                        $"'{testCase.TestCaseDisplayName}' did not get its turn within {Options.GateLimit}: "
                        + $"{Options.MaxKafkaTestsAtOnce} Kafka tests (MaxKafkaTestsAtOnce) are running all that time.");
            }
            await Run.ClusterAsync(cancellationToken);
            return new Turn(claimed, isCounted ? _kafkaTests : null);
        }
        catch
        {
            new Turn(claimed, isCounted ? _kafkaTests : null).Dispose();
            throw;
        }
    }

    public void BeginTest(string id, string test)
    {
        _ended.TryRemove(id, out _); // Some test cases run their test again.
        if (Options.OnLeaks != LeakAnswer.Ignore)
            Run.Leaks.Begin(test);
    }

    /// <summary>The last message of a test, its disposal included.</summary>
    public void LookForLeaks(string test)
    {
        var ownLeaks = Run.Leaks.End(test, Options.LooksForLeaksAfterEachTest);
        foreach (var leak in Options.OnLeaks == LeakAnswer.Ignore ? [] : ownLeaks)
            Tell($"still open at the end of its test: {leak}");
    }

    public void NoteFailure(string test) => _failed[test] = true;

    public void EndTest(string collection, string test)
    {
        var hasFailed = _failed.TryRemove(test, out _);
        _ended[test] = true;
        if (_holds.TryGetValue(collection, out var ofCollection))
            ofCollection.Value.End(test, hasFailed);
        if (!_holds.TryRemove(test, out var ofTest))
            return;
        ofTest.Value.End(test, hasFailed);
        Run.GiveBack(ofTest.Value.Worker);
    }

    public void EndCollection(string collection)
    {
        if (_holds.TryRemove(collection, out var hold))
            Run.GiveBack(hold.Value.Worker);
        if (Options.OnLeaks != LeakAnswer.Ignore)
            Run.Leaks.Look();
    }

    public async ValueTask DisposeAsync()
    {
        var start = Stopwatch.GetTimestamp();
        await Run.DisposeAsync();
        _kafkaTests?.Dispose();
        Tell($"the run ended in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
        if (Options.OnLeaks == LeakAnswer.Ignore)
            return;
        var leaks = await Run.FindLeaksAsync();
        if (Options.OnLeaks == LeakAnswer.Fail && leaks.Count > 0)
            throw new InvalidOperationException("The tests left something behind:\n" + string.Join('\n', leaks));
        foreach (var leak in leaks)
            Tell($"left behind: {leak}");
    }

    private void ThrowIfEnded(string id, string name)
    {
        if (_ended.ContainsKey(id))
            throw new InvalidOperationException(
                $"'{name}' has ended, and something that it left running asks the kit on. Await all that a test starts, and end it with "
                + "TestContext.Current.CancellationToken, which also a time-out cancels.");
    }

    private static bool Has<T>(MemberInfo member)
        where T : Attribute => member.IsDefined(typeof(T), inherit: true);

    private static void Tell(string diagnostic) => TestContext.Current.SendDiagnosticMessage("EvenKeel.Testing: {0}", diagnostic);

    /// <summary>A warning stands in the test's own result, in every report.</summary>
    private static void Warn(string message) => TestContext.Current.AddWarning(message);

    private sealed class Turn(IDisposable claimed, SemaphoreSlim? counted) : IDisposable
    {
        public void Dispose()
        {
            counted?.Release();
            claimed.Dispose();
        }
    }

    /// <summary>A worker in the hands of a collection, and the test that runs on it.</summary>
    private sealed class WorkerHold(KitRun run, TestWorker worker)
    {
        private readonly Lock _gate = new();

        // Guarded by _gate.
        private (string Id, TestScope Scope)? _test;

        public TestWorker Worker => worker;

        public void Begin(string id, string name)
        {
            lock (_gate)
            {
                if (_test?.Id == id)
                    return;
                run.ThrowIfEnded(id, name);
                _test = (id, worker.BeginTest(name));
            }
        }

        /// <summary>A test that never asked for the worker may have harmed it through a fixture: its failure counts.</summary>
        public void End(string id, bool hasFailed)
        {
            lock (_gate)
            {
                if (_test?.Id == id)
                {
                    _test.Value.Scope.End(hasFailed);
                    _test = null;
                }
                else if (hasFailed && _test is null)
                {
                    worker.BeginTest(id).End(hasFailed);
                }
            }
        }
    }
}
