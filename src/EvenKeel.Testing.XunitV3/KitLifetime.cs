namespace EvenKeel.Testing.XunitV3;

/// <summary>The kit's lifetime is xunit's fixture of the assembly: its end, after the last test, is the end of the run.</summary>
internal sealed class KitLifetime : IAsyncDisposable
{
    private readonly KitRun _run = KitRun.Current;

    public ValueTask DisposeAsync() => _run.DisposeAsync();
}
