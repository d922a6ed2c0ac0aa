namespace EvenKeel.Cli.Stability.Runs;

/// <summary>
/// A run observation is what has been heard of a run so far: filled line by line while it goes, and from its result file after.
/// </summary>
internal sealed class RunObservation(int tests)
{
    // Guarded by _gate: the reader of the output fills it, the watcher of the process asks.
    private readonly Lock _gate = new();
    private readonly Dictionary<int, Failure> _failures = [];
    private readonly List<int> _started = [];
    private readonly HashSet<int> _open = [];
    private readonly List<string> _troubles = [];
    private bool _finished;
    private bool _hung;
    private double _lastEnd = -1;

    public TestOutcome[] Outcomes { get; } = new TestOutcome[tests];

    public float[] StartSeconds { get; } = new float[tests];

    public float[] EndSeconds { get; } = new float[tests];

    /// <summary>Whether the framework said that it has run everything.</summary>
    public bool Finished
    {
        get { lock (_gate) return _finished; }
    }

    /// <summary>Whether the host itself ended a test that took too long.</summary>
    public bool Hung
    {
        get { lock (_gate) return _hung; }
    }

    /// <summary>Seconds from the start of the process to the end of its last test; negative before.</summary>
    public double LastEnd
    {
        get { lock (_gate) return _lastEnd; }
    }

    public IReadOnlyList<int> Started
    {
        get { lock (_gate) return [.. _started]; }
    }

    public IReadOnlyList<int> Running
    {
        get { lock (_gate) return [.. _open]; }
    }

    public IReadOnlyDictionary<int, Failure> Failures
    {
        get { lock (_gate) return new Dictionary<int, Failure>(_failures); }
    }

    public IReadOnlyList<string> Troubles
    {
        get { lock (_gate) return [.. _troubles]; }
    }

    public void Start(int test, double second)
    {
        lock (_gate)
        {
            if (_open.Add(test))
                _started.Add(test);
            StartSeconds[test] = (float)second;
        }
    }

    /// <summary>A case of several tests fails if one of them does, and passes only if none does.</summary>
    public void Report(int test, TestOutcome outcome, Failure? failure = null)
    {
        lock (_gate)
        {
            if (Outcomes[test] != TestOutcome.Failed)
                Outcomes[test] = outcome;
            if (failure is not null)
                _failures.TryAdd(test, failure);
        }
    }

    public void End(int test, double second)
    {
        lock (_gate)
        {
            _open.Remove(test);
            EndSeconds[test] = (float)second;
            _lastEnd = Math.Max(_lastEnd, second);
        }
    }

    /// <summary>Something failed that is no test: a fixture's clean-up, an error of the framework.</summary>
    public void Trouble(string text)
    {
        lock (_gate)
            _troubles.Add(text);
    }

    public void Hang()
    {
        lock (_gate)
            _hung = true;
    }

    public void Finish()
    {
        lock (_gate)
            _finished = true;
    }
}
