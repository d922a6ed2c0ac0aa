using System.Diagnostics;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Synchronization;

/// <summary>A deadline is the end of one wait of a test, however many signals it waits for until then.</summary>
internal sealed class Deadline(TimeSpan limit)
{
    private readonly long _start = Stopwatch.GetTimestamp();

    public TimeSpan Limit => limit;

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    public TimeSpan Left => Elapsed is var gone && gone < limit ? limit - gone : TimeSpan.Zero;

    /// <returns>False: the deadline came first.</returns>
    public async Task<bool> ReachedAsync(Task signal)
    {
        try
        {
            await signal.WaitAsync(Left, CallingTest.Cancellation).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException) when (!signal.IsFaulted)
        {
            return false;
        }
    }
}
