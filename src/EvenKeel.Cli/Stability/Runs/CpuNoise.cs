namespace EvenKeel.Cli.Stability.Runs;

/// <summary>
/// CPU noise is threads that burn every processor twice over until it is disposed, so that a test's threads have to wait.
/// </summary>
internal sealed class CpuNoise : IDisposable
{
    private readonly Thread[] _burners;
    private volatile bool _ended;

    public CpuNoise()
    {
        _burners = [.. Enumerable.Range(0, Environment.ProcessorCount * 2).Select(_ => new Thread(Burn) { IsBackground = true })];
        foreach (var burner in _burners)
            burner.Start();
    }

    public void Dispose()
    {
        _ended = true;
        foreach (var burner in _burners)
            burner.Join();
    }

    private void Burn()
    {
        while (!_ended)
            Thread.SpinWait(2000);
    }
}
