using System.Globalization;

namespace EvenKeel.Testing.Synchronization;

/// <summary>Runs an action on several threads that begin at the same moment.</summary>
public static class Concurrently
{
    private static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(60);

    /// <summary>Starts all threads, lets them go at one barrier, and waits for all.</summary>
    /// <param name="threads">At least 1.</param>
    /// <param name="action">Gets its thread; each <see cref="ConcurrentThread.Point"/> in it is told in the report.</param>
    /// <param name="seed">Gives way to other threads at points chosen by this seed; absent: never on purpose.</param>
    /// <param name="within">The deadline for all; absent: 60 s.</param>
    /// <returns>The order in which the points were passed.</returns>
    /// <exception cref="ConcurrentRunException">Threads threw; the message tells each exception, the order and the seed.</exception>
    /// <exception cref="TimeoutException">Some did not end; the message tells which, and where each was last.</exception>
    public static Interleaving Run(int threads, Action<ConcurrentThread> action, int? seed = null, TimeSpan? within = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentNullException.ThrowIfNull(action);
        var run = new ConcurrentRun(threads, seed);
        run.Start(action);
        run.Await(new Deadline(within ?? DefaultLimit));
        return run.Interleaving;
    }

    /// <summary>Starts all tasks on the pool, lets them go together, and awaits all.</summary>
    /// <param name="tasks">At least 1.</param>
    /// <param name="action">Gets its place; each <see cref="ConcurrentThread.Point"/> in it is told in the report.</param>
    /// <param name="seed">Gives way to other threads at points chosen by this seed; absent: never on purpose.</param>
    /// <param name="within">The deadline for all; absent: 60 s.</param>
    /// <returns>The order in which the points were passed.</returns>
    /// <exception cref="ConcurrentRunException">Some threw; the message tells each exception, the order and the seed.</exception>
    /// <exception cref="TimeoutException">Some did not end.</exception>
    public static async Task<Interleaving> RunAsync(
        int tasks, Func<ConcurrentThread, Task> action, int? seed = null, TimeSpan? within = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tasks, 1);
        ArgumentNullException.ThrowIfNull(action);
        var run = new ConcurrentRun(tasks, seed);
        var deadline = new Deadline(within ?? DefaultLimit);
        var all = run.StartAsync(action);
        if (!await deadline.ReachedAsync(all).ConfigureAwait(false))
            throw run.Late(deadline);
        run.ThrowIfFailed();
        return run.Interleaving;
    }
}

/// <summary>One of the threads of <see cref="Concurrently"/>.</summary>
public sealed class ConcurrentThread
{
    private readonly ConcurrentRun _run;
    private readonly Random? _chance;

    internal ConcurrentThread(ConcurrentRun run, int number, int? seed)
    {
        _run = run;
        Number = number;
        _chance = seed is { } own ? new Random(own ^ (number * 7919)) : null;
    }

    /// <summary>From 0.</summary>
    public int Number { get; }

    /// <summary>Says that the thread is here; with a seed it may give way to others here.</summary>
    /// <param name="name">For the report.</param>
    public void Point(string name)
    {
        _run.Pass(Number, name);
        for (var yields = _chance?.Next(4) ?? 0; yields > 0; yields--)
            Thread.Yield();
    }
}

/// <summary>The order in which threads passed their points.</summary>
/// <param name="Points">In their order.</param>
/// <param name="Seed">By which threads gave way; null: they did not.</param>
public sealed record Interleaving(IReadOnlyList<(int Thread, string Point)> Points, int? Seed)
{
    /// <summary>How often the thread that passed a point was another than the one before: none means that they ran one by one.</summary>
    public int Switches => Points.Zip(Points.Skip(1)).Count(pair => pair.First.Thread != pair.Second.Thread);

    /// <returns>A line for people.</returns>
    public override string ToString() =>
        string.Join(' ', Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.Thread}:{point.Point}")))
        + (Seed is { } seed ? string.Create(CultureInfo.InvariantCulture, $" SEED={seed}") : "");
}

/// <summary>What threads that ran at the same time have thrown, all of it, with the order in which they ran.</summary>
public sealed class ConcurrentRunException : AggregateException
{
    /// <summary>Without anything.</summary>
    public ConcurrentRunException()
    {
    }

    /// <summary>With a message alone.</summary>
    /// <param name="message">For people.</param>
    public ConcurrentRunException(string message)
        : base(message)
    {
    }

    /// <summary>With one cause.</summary>
    /// <param name="message">For people.</param>
    /// <param name="innerException">The cause.</param>
    public ConcurrentRunException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal ConcurrentRunException(Interleaving interleaving, IReadOnlyList<(int Thread, Exception Thrown)> failures)
        : base(
            $"{failures.Count} thread(s) threw: "
            + string.Join("; ", failures.Select(failure => $"thread {failure.Thread}: {failure.Thrown.GetType().Name}"))
            + $". Order: {interleaving}",
            failures.Select(failure => failure.Thrown)) => Interleaving = interleaving;

    /// <summary>The order in which the points were passed.</summary>
    public Interleaving? Interleaving { get; }
}
