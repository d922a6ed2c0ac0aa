using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.XunitV3;

/// <summary>How the kit of a test assembly works.</summary>
public sealed record KitOptions
{
    /// <summary>The broker, the names, the deadlines. Diagnostics without a receiver go to xunit's diagnostic messages.</summary>
    public TestRunOptions Run { get; init; } = new();

    /// <summary>
    /// A worker for each test instead of one for each collection (which is a class, unless you say otherwise). Default false, as tests of
    /// one collection run one after the other.
    /// </summary>
    public bool WorkerPerTest { get; init; }

    /// <summary>
    /// What happens at the end of the assembly when something is left of its tests: clients, threads, ports, child processes, changes of
    /// the environment. Default: it is told, as a diagnostic message.
    /// </summary>
    public LeakAnswer OnLeaks { get; init; } = LeakAnswer.Tell;

    /// <summary>
    /// Looks at threads, child processes and ports after each test, to name exactly the one that left them; a look takes milliseconds.
    /// Default false: after each collection, and its tests are named.
    /// </summary>
    public bool LooksForLeaksAfterEachTest { get; init; }

    /// <summary>How many tests marked <see cref="KafkaTestAttribute"/> run at once at most. Default: as many as xunit runs.</summary>
    public int MaxKafkaTestsAtOnce { get; init; } = int.MaxValue;

    /// <summary>
    /// The longest that a test waits for a resource, or to be alone, before it fails and names who holds it. Default 10 minutes, the time
    /// after which the stability runner calls a run hung.
    /// </summary>
    public TimeSpan GateLimit { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>What follows when tests leave something behind.</summary>
public enum LeakAnswer
{
    /// <summary>Diagnostic messages.</summary>
    Tell,

    /// <summary>The run fails, though all tests have passed; the message names what and of which test.</summary>
    Fail,

    /// <summary>Nobody looks.</summary>
    Ignore,
}
