using System.Globalization;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Synchronization;

/// <summary>
/// Waits for a state of the code under test that nothing signals: looks again and again, more rarely as time goes on, up to a deadline that
/// throws with the last state and those before it.
/// </summary>
public static class WaitFor
{
    private const int MaxHistory = 20;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeProvider RealTime = TimeProvider.System;

    /// <summary>10 s: ten times what a loaded machine was seen to need for what takes milliseconds.</summary>
    public static TimeSpan DefaultDeadline { get; } = TimeSpan.FromSeconds(10);

    /// <summary>Waits until a condition holds.</summary>
    /// <param name="condition">Looked at until it is true; what it throws ends the wait.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="state">Tells the state for the message of a wait in vain; absent: just that it did not hold.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <exception cref="TimeoutException">It did not hold in time.</exception>
    public static Task ConditionAsync(Func<bool> condition, string what, Func<string>? state = null, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return LookAsync(
            () => Task.FromResult((Holds: condition(), State: state?.Invoke() ?? "")), seen => seen.Holds, what, within,
            seen => seen.State.Length > 0 ? seen.State : "it did not hold");
    }

    /// <summary>Waits until a value is as wanted.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="read">Reads it; what it throws ends the wait.</param>
    /// <param name="wanted">Looks at it.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <returns>The value that was wanted.</returns>
    /// <exception cref="TimeoutException">It never was; the message tells the values that were seen.</exception>
    public static Task<T> ValueAsync<T>(Func<T> read, Func<T, bool> wanted, string what, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        return AnswerAsync(() => Task.FromResult(read()), wanted, what, within);
    }

    /// <summary>Waits until a value that is asked for, from a database or a server, is as wanted.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="readAsync">Asks for it; what it throws ends the wait. Its time counts.</param>
    /// <param name="wanted">Looks at it.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <returns>The value that was wanted.</returns>
    /// <exception cref="TimeoutException">It never was; the message tells the values that were seen.</exception>
    public static Task<T> AnswerAsync<T>(Func<Task<T>> readAsync, Func<T, bool> wanted, string what, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(readAsync);
        ArgumentNullException.ThrowIfNull(wanted);
        return LookAsync(readAsync, wanted, what, within, Text);
    }

    /// <summary>Waits until a value is another than it is now.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="read">Reads it.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <returns>The new value.</returns>
    /// <exception cref="TimeoutException">It stayed as it was.</exception>
    public static Task<T> ChangeAsync<T>(Func<T> read, string what, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        var before = read();
        return ValueAsync(read, now => !EqualityComparer<T>.Default.Equals(now, before), what, within);
    }

    private static async Task<T> LookAsync<T>(
        Func<Task<T>> look, Func<T, bool> wanted, string what, TimeSpan? within, Func<T, string> text)
    {
        var deadline = new Deadline(within ?? DefaultDeadline);
        var history = new Queue<string>();
        var (pause, last, looks) = (FirstPause, "", 0);
        while (true)
        {
            var looking = look();
            if (!await deadline.ReachedAsync(looking).ConfigureAwait(false))
                throw Late($"the look at it, number {looks + 1}, did not end");
            var seen = await looking.ConfigureAwait(false);
            if (wanted(seen))
                return seen;
            looks++;
            Keep(text(seen));
            if (deadline.Left == TimeSpan.Zero)
                throw Late($"last: {last}");
            await Task.Delay(pause < deadline.Left ? pause : deadline.Left, RealTime, CallingTest.Cancellation)
                .ConfigureAwait(false);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }

        // A state that stays is told once, with the time when it came.
        void Keep(string now)
        {
            if (looks > 1 && now == last)
                return;
            last = now;
            history.Enqueue(string.Create(CultureInfo.InvariantCulture, $"  {deadline.Elapsed.TotalMilliseconds,7:0} ms: {now}"));
            if (history.Count > MaxHistory)
                history.Dequeue();
        }

        TimeoutException Late(string state) => new(
            $"Waited {deadline.Limit.TotalSeconds:0.###} s for {what}; {state}. {looks} look(s):\n{string.Join('\n', history)}");
    }

    private static string Text<T>(T value) => value?.ToString() ?? "(null)";
}
