namespace House.Calls;

/// <summary>One call of each banned kind in the shapes people write it, and the call that replaces it.</summary>
internal static class CallPlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Caught("thread-sleep", "Thread.Sleep(1);"),
        Caught("thread-sleep", "System.Threading.Thread.Sleep(1);"),
        Passes("thread-sleep", "thread.Sleep(); gate.Wait(1);"),

        Caught("task-delay", "await Task.Delay(1);"),
        Plant.Guilty("task-delay", "in a test", 1, ("tests/A.Tests/B.cs", "class B { void M() { Task.Delay(1); } }")),
        Plant.Guilty("task-delay", "in a test, however timed", 1, (
            "tests/A.Tests/B.cs", "class B { void M() { Task.Delay(1, time); } }")),
        Caught("task-delay", "await Task.Delay(pause, stop);"),
        Passes("task-delay", "await Task.Delay(pause, _time, stop); await Task.Delay(Timeout.Infinite, stop);"),
        Passes("task-delay", "await timer.WaitForNextTickAsync(); var delay = Task.CompletedTask;"),

        Caught("wall-clock", "var now = DateTime.Now;"),
        Caught("wall-clock", "var now = System.DateTime.UtcNow;"),
        Caught("wall-clock", "F(DateTimeOffset.UtcNow.AddDays(1));"),
        Passes("wall-clock", "var now = time.GetUtcNow(); var epoch = DateTime.UnixEpoch; options.DateTime.Now();"),

        Caught("unseeded-random", "var random = new Random();"),
        Caught("unseeded-random", "Random random = new();"),
        Caught("unseeded-random", "Random.Shared.Next();"),
        Passes("unseeded-random", "var random = new Random(seed); Random other = new(seed); Queue queue = new();"),

        Caught("unbounded-channel", "var c = Channel.CreateUnbounded<int>();"),
        Passes("unbounded-channel", "var c = Channel.CreateBounded<int>(16);"),

        Caught("sync-over-async", "var a = task.Result;"),
        Caught("sync-over-async", "task.Wait();"),
        Caught("sync-over-async", "F().GetAwaiter().GetResult();"),
        Caught("sync-over-async", "F().ConfigureAwait(false).GetResult();"),
        Passes("sync-over-async",
            "context.Result = await F(); this.Result.ToString(); Monitor.Wait(gate); var n = nameof(Task<int>.Result);"),
        Passes("sync-over-async", "var gate = new SemaphoreSlim(1); gate.Wait(); core.GetResult(token);"),

        Caught("queue-disk", "File.Delete(path);"),
        Caught("queue-disk", "if (System.IO.Directory.Exists(path)) F();"),
        Caught("queue-disk", "using var stream = new FileStream(path, FileMode.Open);"),
        Passes("queue-disk", "storage.Delete(name); segment.File.Dispose(); FileMode mode = FileMode.Open;"),
        Plant.Innocent("queue-disk", "the adapter",
            ("src/EvenKeel.Queue/Storage/FileStorage.cs", "class A { void M() { File.Delete(path); } }")),

        Caught("console", "Console.WriteLine(1);"),
        Plant.Innocent("console", "a command", ("src/A/ServeCommand.cs", "class A { void M() { Console.WriteLine(1); } }")),

        Caught("gc-collect", "GC.Collect();"),
        Plant.Innocent("gc-collect", "a test", ("tests/A.Tests/B.cs", "class A { void M() { GC.Collect(); } }")),
    ];

    private static Plant Caught(string rule, string statement) =>
        Plant.Guilty(rule, statement, 4, ("src/EvenKeel.Queue/A.cs", Method(statement)));

    private static Plant Passes(string rule, string statement) =>
        Plant.Innocent(rule, statement, ("src/EvenKeel.Queue/A.cs", Method(statement)));

    private static string Method(string statement) => $"class A\n{{\n    async Task M() {{\n{statement}\n}} }}";
}
