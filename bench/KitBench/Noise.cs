namespace KitBench;

/// <summary>Noise is threads that keep a processor busy, four fifths of the time, until it is disposed of.</summary>
internal sealed class Noise : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread[] _threads;

    public Noise(int count)
    {
        _threads = [.. Enumerable.Range(0, count).Select(_ => new Thread(Burn) { IsBackground = true, Name = "noise" })];
        foreach (var thread in _threads)
            thread.Start();
    }

    public void Dispose()
    {
        _stop.Cancel();
        foreach (var thread in _threads)
            thread.Join();
        _stop.Dispose();
    }

    private void Burn()
    {
        while (!_stop.IsCancellationRequested)
        {
            var until = Environment.TickCount64 + 40;
            while (Environment.TickCount64 < until)
                Thread.SpinWait(100);
            _stop.Token.WaitHandle.WaitOne(10);
        }
    }
}
