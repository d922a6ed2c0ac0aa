using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

namespace EvenKeel.Testing.XunitV3;

/// <summary>xunit's own framework, with each test case behind the kit's gates.</summary>
internal sealed class KitFramework : XunitTestFramework
{
    private readonly string? _configurationFile;

    public KitFramework()
    {
    }

    /// <param name="configurationFile">As xunit hands it over.</param>
    public KitFramework(string? configurationFile)
        : base(configurationFile) => _configurationFile = configurationFile;

    protected override ITestFrameworkExecutor CreateExecutor(Assembly assembly) =>
        new KitExecutor(new XunitTestAssembly(assembly, _configurationFile, assembly.GetName().Version));

    /// <summary>Runs test cases as xunit does; a collection's worker goes when it has ended, its fixtures included.</summary>
    private sealed class KitExecutor(IXunitTestAssembly assembly) : XunitTestFrameworkExecutor(assembly)
    {
        public override ValueTask RunTestCases(
            IReadOnlyCollection<IXunitTestCase> testCases, IMessageSink executionMessageSink,
            ITestFrameworkExecutionOptions executionOptions, CancellationToken cancellationToken)
        {
            var run = KitRun.Begin(TestAssembly);
            return base.RunTestCases(
                [.. testCases.Select(testCase => GatedTestCase.Of(testCase, run))], new CollectionWatch(run, executionMessageSink),
                executionOptions, cancellationToken);
        }
    }

    private sealed class CollectionWatch(KitRun run, IMessageSink next) : IMessageSink
    {
        public bool OnMessage(IMessageSinkMessage message)
        {
            if (message is ITestCollectionFinished finished)
                run.EndCollection(finished.TestCollectionUniqueID);
            return next.OnMessage(message);
        }
    }
}
