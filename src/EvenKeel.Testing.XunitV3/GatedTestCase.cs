using Xunit.Sdk;
using Xunit.v3;

namespace EvenKeel.Testing.XunitV3;

/// <summary>
/// A gated test case is a test case that first waits for what it claims, and whose tests tell the kit when they have failed and ended.
/// Everything else about it is the test case's own.
/// </summary>
internal sealed class GatedTestCase : IXunitTestCase, ISelfExecutingXunitTestCase
{
    private readonly IXunitTestCase _inner;
    private readonly KitRun _run;

    private GatedTestCase(IXunitTestCase inner, KitRun run)
    {
        _inner = inner;
        _run = run;
    }

    public bool Explicit => _inner.Explicit;

    public Type[]? SkipExceptions => _inner.SkipExceptions;

    public string? SkipReason => _inner.SkipReason;

    public Type? SkipType => _inner.SkipType;

    public string? SkipUnless => _inner.SkipUnless;

    public string? SkipWhen => _inner.SkipWhen;

    public string? SourceFilePath => _inner.SourceFilePath;

    public int? SourceLineNumber => _inner.SourceLineNumber;

    public string TestCaseDisplayName => _inner.TestCaseDisplayName;

    public IXunitTestClass TestClass => _inner.TestClass;

    public int TestClassMetadataToken => _inner.TestClassMetadataToken;

    public string TestClassName => _inner.TestClassName;

    public string? TestClassNamespace => _inner.TestClassNamespace;

    public string TestClassSimpleName => _inner.TestClassSimpleName;

    public IXunitTestCollection TestCollection => _inner.TestCollection;

    public IXunitTestMethod TestMethod => _inner.TestMethod;

    public int? TestMethodArity => _inner.TestMethodArity;

    public int TestMethodMetadataToken => _inner.TestMethodMetadataToken;

    public string TestMethodName => _inner.TestMethodName;

    public string[] TestMethodParameterTypesVSTest => _inner.TestMethodParameterTypesVSTest;

    public string TestMethodReturnTypeVSTest => _inner.TestMethodReturnTypeVSTest;

    public int Timeout => _inner.Timeout;

    public IReadOnlyDictionary<string, IReadOnlyCollection<string>> Traits => _inner.Traits;

    public string UniqueID => _inner.UniqueID;

    int? ITestCaseMetadata.TestClassMetadataToken => _inner.TestClassMetadataToken;

    int? ITestCaseMetadata.TestMethodMetadataToken => _inner.TestMethodMetadataToken;

    ITestClass? ITestCase.TestClass => _inner.TestClass;

    ITestCollection ITestCase.TestCollection => _inner.TestCollection;

    ITestMethod? ITestCase.TestMethod => _inner.TestMethod;

    public static IXunitTestCase Of(IXunitTestCase testCase, KitRun run) => new GatedTestCase(testCase, run);

    public ValueTask<IReadOnlyCollection<IXunitTest>> CreateTests() => _inner.CreateTests();

    public void PreInvoke() => _inner.PreInvoke();

    public void PostInvoke() => _inner.PostInvoke();

    public async ValueTask<RunSummary> Run(
        ExplicitOption explicitOption, IMessageBus messageBus, object?[] constructorArguments, ExceptionAggregator aggregator,
        CancellationTokenSource cancellationTokenSource)
    {
        var willRun = SkipReason is null && !(Explicit && explicitOption == ExplicitOption.Off)
            && !(!Explicit && explicitOption == ExplicitOption.Only);
        using var turn = willRun ? await aggregator.RunAsync(() => EnterAsync(cancellationTokenSource.Token), null) : null;
        using var bus = new TestWatch(_run, messageBus);
        return _inner is ISelfExecutingXunitTestCase itself
            ? await itself.Run(explicitOption, bus, constructorArguments, aggregator, cancellationTokenSource)
            : await XunitRunnerHelper.RunXunitTestCase(
                _inner, bus, cancellationTokenSource, aggregator, explicitOption, constructorArguments);
    }

    private async ValueTask<IDisposable?> EnterAsync(CancellationToken cancellationToken) =>
        await _run.EnterAsync(_inner, cancellationToken);

    /// <summary>Sees what each test came to, on the test's own path, before the next one begins.</summary>
    private sealed class TestWatch(KitRun run, IMessageBus next) : IMessageBus
    {
        // The tests of one case run one after the other.
        private string _name = "";

        public bool QueueMessage(IMessageSinkMessage message)
        {
            if (message is ITestStarting starting)
            {
                _name = starting.TestDisplayName;
                run.BeginTest(starting.TestUniqueID, _name);
            }
            else if (message is ITestFailed failed)
            {
                run.NoteFailure(failed.TestUniqueID);
            }
            else if (message is ITestFinished finished)
            {
                run.EndTest(finished.TestCollectionUniqueID, finished.TestUniqueID);
                run.LookForLeaks(_name);
            }
            return next.QueueMessage(message);
        }

        public void Dispose()
        {
            // The bus belongs to whoever runs the assembly.
        }
    }
}
