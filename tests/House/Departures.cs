namespace House;

/// <summary>
/// The departures are the only places that may break a rule. One that is no longer needed fails the rule it excuses: delete it then.
/// </summary>
internal static class Departures
{
    private const string LoadResult = "Result is what the load came to, a property of a record and no task";
    private const string RealClock = "the load tool sends on the wall clock: a simulated one would measure nothing";
    private const string SlowServer = "plays a server that takes its time: the slowness is the input, nothing waits for it to pass";
    private const string DataNoun = "the data directory is the operator's own word: --data names it";
    private const string Offline =
        "an offline adapter: it reads or replaces files of a queue that nobody has open, without the running queue's seam";
    private const string Probe = "no part of the house: the build restores it by itself to look for the real package, and it has no code";

    public static IReadOnlyList<Departure> All { get; } =
    [
        new("sync-over-async", "src/EvenKeel.Queue/DurableQueue.cs", null, "the blocking read is made for dedicated threads"),
        new("sync-over-async", "tests/Simulation/Schedule.cs", null, "reads the outcome of a completed append, on the one simulated thread"),
        new("sync-over-async", "src/MetricStream/Intake/RequestBody.cs", null,
            "read after IsCompletedSuccessfully: the fast path of a value task"),
        new("sync-over-async", "src/MetricStream/Load/LoadReport.cs", null, LoadResult),
        new("sync-over-async", "src/MetricStream/Load/LoadReportJson.cs", null, LoadResult),
        new("sync-over-async", "tests/KafkaChaos/Scenarios/Storm.cs", null, "threads that create and dispose: the pool's would take turns"),

        new("task-delay", "src/MetricStream/Load/", null, RealClock),
        new("task-delay", "tests/Simulation/Deadline.cs", null, "the deadline of a wait on a signal: it throws with the state it saw"),
        new("task-delay", "tests/Chaos/ChaosRun.cs", null, "the moment of the kill, drawn from the seed: nothing is waited for"),
        new("task-delay", "tests/KafkaChaos/Moment.cs", null, "how long a fault lasts, drawn from the seed: nothing is waited for"),
        new("task-delay", "tests/MetricStream.Tests/Load/LoadCommandTests.cs",
            "An_open_loop_counts_the_wait_for_a_busy_server_into_the_latency", SlowServer),
        new("task-delay", "tests/MetricStream.Tests/Load/LoadCommandTests.cs",
            "The_search_prints_each_step_and_ends_below_the_rate_that_breaks", SlowServer),

        new("type-names", "src/MetricStream/Serving/DataDirectory.cs", "DataDirectory", DataNoun),
        new("file-names", "src/MetricStream/Serving/DataDirectory.cs", null, DataNoun),

        new("queue-disk", "src/EvenKeel.Queue/Inspection/OfflineFolder.cs", null, Offline),
        new("queue-disk", "src/EvenKeel.Queue/Inspection/SalvageFolder.cs", null, Offline),

        new("console", "src/MetricStream/Serving/Server.cs", null,
            "the one line on standard output that people and scripts wait for at start"),

        new("two-implementations", "src/EvenKeel.Testing.XunitV3/UseKafkaKitAttribute.cs", null,
            "users implement it in their test projects"),
        new("tests-for-each-project", "src/EvenKeel.Hook/EvenKeel.Hook.csproj", null,
            "it only works inside other people's test processes: tests/EvenKeel.Cli.Tests runs it there"),

        new("project-arrows", "native/librdkafka.redist/probe/probe.csproj", null, Probe),
        new("solution-is-whole", "native/librdkafka.redist/probe/probe.csproj", null, Probe),
    ];
}
