namespace EvenKeel.Testing.Workers;

/// <summary>One test on its worker, from its beginning to its end.</summary>
public sealed class TestScope
{
    private readonly TestWorker _worker;
    private int _ended;

    internal TestScope(TestWorker worker, string name)
    {
        _worker = worker;
        Name = name;
    }

    /// <summary>The test's name.</summary>
    public string Name { get; }

    /// <summary>
    /// Ends the test: its consumers rest; after a failure the worker goes on with new topics and consumers. Harmless when repeated.
    /// </summary>
    /// <param name="hasFailed">The test failed.</param>
    public void End(bool hasFailed)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
            _worker.EndTest(this, hasFailed);
    }
}
