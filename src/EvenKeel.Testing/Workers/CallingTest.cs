namespace EvenKeel.Testing.Workers;

/// <summary>The calling test is what the framework knows of the test that calls: asked by everything that no run is at hand for.</summary>
internal static class CallingTest
{
    private static TestRunOptions Options = new();

    /// <summary>Null outside of tests.</summary>
    public static string? Name => Volatile.Read(ref Options).CurrentTest();

    public static CancellationToken Cancellation => Volatile.Read(ref Options).Cancellation();

    /// <summary>The framework is the process's own: the run that begins last knows it as well as any.</summary>
    public static void Know(TestRunOptions options) => Volatile.Write(ref Options, options);

    /// <summary>Says that the test passes only now and then.</summary>
    public static void TellUnstable(string message)
    {
        var options = Volatile.Read(ref Options);
        (options.Unstable ?? options.Diagnostics)?.Invoke(message);
    }
}
