namespace Simulation;

/// <summary>A bound on waiting that says what it saw when it is over.</summary>
internal static class Deadline
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    public static async Task Of(Task work, Func<string> state)
    {
        if (await Task.WhenAny(work, Task.Delay(Bound)) != work)
            throw new TimeoutException($"Not done in {Bound}: {state()}");
        await work;
    }

    public static async Task Until(Func<bool> holds, Func<string> state)
    {
        var end = Environment.TickCount64 + (long)Bound.TotalMilliseconds;
        while (!holds())
        {
            if (Environment.TickCount64 > end)
                throw new TimeoutException($"Not so in {Bound}: {state()}");
            await Task.Yield();
        }
    }
}
