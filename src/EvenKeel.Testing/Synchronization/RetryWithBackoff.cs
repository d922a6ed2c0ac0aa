using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Synchronization;

/// <summary>
/// Repeats what fails for reasons outside the test, such as a server that is still starting. A test that needed a repetition is reported
/// as unstable, with what was swallowed: it is never silently green.
/// </summary>
public sealed record RetryWithBackoff
{
    /// <summary>How often it is tried at most. Default 5.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>The pause before the second try, doubled for each after it. Default 50 ms.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest pause. Default 2 s: five tries end within 1 s with the other defaults.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Which exceptions are worth a repetition; others come out at once. No default: what is swallowed is to be named.</summary>
    public required Func<Exception, bool> On { get; init; }

    /// <summary>Pauses differ by up to half, so that repetitions of several tests do not meet again; the seed of that.</summary>
    public int Seed { get; init; } = Environment.ProcessId;

    /// <summary>Takes the report of a repetition. Default: the run's <see cref="TestRunOptions.Unstable"/>.</summary>
    public Action<string>? Report { get; init; }

    /// <summary>The clock of the pauses.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Tries until it succeeds.</summary>
    /// <typeparam name="T">What it answers.</typeparam>
    /// <param name="what">What is tried, in words.</param>
    /// <param name="action">The action.</param>
    /// <exception cref="AggregateException">Every try failed; each exception is in it.</exception>
    public async Task<T> RunAsync<T>(string what, Func<Task<T>> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfLessThan(Attempts, 1);
        var chance = new Random(Seed);
        var swallowed = new List<Exception>();
        var pause = FirstPause;
        while (true)
        {
            try
            {
                var answer = await action().ConfigureAwait(false);
                if (swallowed.Count > 0)
                    (Report ?? CallingTest.TellUnstable)(
                        $"{CallingTest.Name ?? "A test"} is unstable: {what} succeeded at try {swallowed.Count + 1} of {Attempts}, after "
                        + Names(swallowed));
                return answer;
            }
            catch (Exception failed) when (On(failed))
            {
                swallowed.Add(failed);
                if (swallowed.Count == Attempts)
                    throw new AggregateException($"{what} failed {Attempts} times: {Names(swallowed)}", swallowed);
            }
            await Task.Delay(pause * (1 - chance.NextDouble() / 2), Time, CallingTest.Cancellation).ConfigureAwait(false);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>Tries until it succeeds.</summary>
    /// <param name="what">What is tried, in words.</param>
    /// <param name="action">The action.</param>
    /// <exception cref="AggregateException">Every try failed; each exception is in it.</exception>
    public Task RunAsync(string what, Func<Task> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return RunAsync(what, async () =>
        {
            await action().ConfigureAwait(false);
            return true;
        });
    }

    private static string Names(List<Exception> swallowed) =>
        string.Join("; ", swallowed.Select(one => $"{one.GetType().Name}: {one.Message}"));
}
