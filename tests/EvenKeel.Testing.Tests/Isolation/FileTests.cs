using EvenKeel.Testing.Tests.Workers;
using EvenKeel.Testing.Workers;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Isolation;

public sealed class FileTests : IAsyncLifetime
{
    private readonly Runs _runs = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    [Fact]
    public async Task A_tests_folder_goes_with_it_and_a_failed_tests_stays_and_is_told()
    {
        var run = _runs.Start();
        var worker = run.LeaseWorker();
        var passing = worker.BeginTest("Orders.It/passes: \"all\"");
        var gone = passing.TempFolder;
        Assert.Equal(gone, passing.TempFolder);
        await File.WriteAllTextAsync(Path.Combine(gone, "file"), "x", Cancellation);
        passing.End(hasFailed: false);
        Assert.False(Directory.Exists(gone));

        var failing = worker.BeginTest("Orders.It_fails");
        var kept = failing.TempFolder;
        Assert.NotEqual(gone, kept);
        await File.WriteAllTextAsync(Path.Combine(kept, "file"), "x", Cancellation);
        failing.End(hasFailed: true);
        await run.DisposeAsync();

        Assert.True(File.Exists(Path.Combine(kept + "-failed", "file")));
        Assert.Contains(_runs.Told, told => told.Contains(kept + "-failed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_dead_run_left_goes_with_the_next_one_but_for_its_failed_tests_which_stay_a_week()
    {
        // A run that ended without its clean-up: the file is there and nobody holds it.
        var now = TimeProvider.System.GetUtcNow();
        var (recent, old) = (RunId.New(TimeProvider.System), RunId.New(new FixedTime(now.AddDays(-8))));
        foreach (var id in new[] { recent, old })
        {
            await File.WriteAllTextAsync(Path.Combine(_runs.Folder, $"run-{id}.lock"), "", Cancellation);
            Directory.CreateDirectory(Path.Combine(_runs.Folder, "temp", id.Text, "1-test"));
            Directory.CreateDirectory(Path.Combine(_runs.Folder, "temp", id.Text, "2-test-failed"));
        }

        await using (_runs.Start())
        {
            // The end of a run waits for its sweep.
        }

        Assert.Equal(
            [Path.Combine(_runs.Folder, "temp", recent.Text, "2-test-failed")],
            Directory.EnumerateDirectories(Path.Combine(_runs.Folder, "temp")).SelectMany(Directory.EnumerateDirectories));
        Assert.Empty(Directory.EnumerateFiles(_runs.Folder, "run-*"));
        Assert.Empty(_runs.Told);
    }

    [Fact]
    public async Task A_run_that_left_something_elsewhere_is_remembered_until_that_is_swept()
    {
        var dead = RunId.New(TimeProvider.System);
        await File.WriteAllTextAsync(Path.Combine(_runs.Folder, $"run-{dead}.lock"), "server a\nserver b\n", Cancellation);
        await using var run = _runs.Start();
        var swept = new List<bool>();

        await run.SweepAsync("server a", isStale => Sweep(isStale));
        await run.SweepAsync("server b", isStale => Sweep(isStale));
        await run.SweepAsync("server b", isStale => Sweep(isStale));

        // At the third sweep the run is forgotten: a name of it would be of another machine, and is young.
        Assert.Equal([true, true, false], swept);

        Task Sweep(Func<string, bool> isStale)
        {
            swept.Add(isStale(dead.Text));
            Assert.False(isStale(run.Id));
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task A_run_that_dies_while_others_are_swept_is_stale_and_this_one_never()
    {
        await using var run = _runs.Start();
        var dying = RunId.New(TimeProvider.System);
        bool[] stale = [];

        await run.SweepAsync("a server", async isStale =>
        {
            stale = [isStale(dying.Text), isStale(run.Id)];
            await File.WriteAllTextAsync(Path.Combine(_runs.Folder, $"run-{dying}.lock"), "a server\n", Cancellation);
            stale = [.. stale, isStale(dying.Text), isStale(run.Id)];
        });

        // Without its file it could be a run of another machine, and is young.
        Assert.Equal([false, false, true, false], stale);
    }

    [Fact]
    public async Task A_sweep_that_fails_at_first_is_tried_again_at_the_end_and_told_if_it_fails_then()
    {
        var dead = RunId.New(TimeProvider.System);
        await File.WriteAllTextAsync(Path.Combine(_runs.Folder, $"run-{dead}.lock"), "server a\nserver b\n", Cancellation);
        var tries = new Dictionary<string, int> { ["a"] = 0, ["b"] = 0 };
        await using (var run = _runs.Start())
        {
            run.SweepInBackground("server a", isStale => Sweep("a", until: 2, isStale));
            run.SweepInBackground("server b", isStale => Sweep("b", until: 3, isStale));
        }

        Assert.Equal((2, 2), (tries["a"], tries["b"]));
        Assert.Contains("b is held", Assert.Single(_runs.Told), StringComparison.Ordinal);
        Assert.Equal(["server b"], await File.ReadAllLinesAsync(Path.Combine(_runs.Folder, $"run-{dead}.lock"), Cancellation));

        Task Sweep(string server, int until, Func<string, bool> isStale)
        {
            Assert.True(isStale(dead.Text));
            return ++tries[server] < until ? throw new IOException($"{server} is held") : Task.CompletedTask;
        }
    }

    [Fact]
    public async Task A_worker_has_a_copy_of_a_SQLite_file_that_is_prepared_once()
    {
        await using var run = _runs.Start();
        var (one, two) = (run.LeaseWorker(), run.LeaseWorker());
        var prepared = 0;

        var first = await one.SqliteFileAsync("orders", PrepareAsync, Cancellation);
        await File.AppendAllTextAsync(first, ", changed", Cancellation);
        var second = await two.SqliteFileAsync("orders", PrepareAsync, Cancellation);

        Assert.Equal(first, await one.SqliteFileAsync("orders", PrepareAsync, Cancellation));
        Assert.Equal("schema", await File.ReadAllTextAsync(second, Cancellation));
        one.BeginTest("a failing test").End(hasFailed: true);
        Assert.Equal("schema", await File.ReadAllTextAsync(await one.SqliteFileAsync("orders", PrepareAsync, Cancellation), Cancellation));
        Assert.Equal(1, prepared);
        await Assert.ThrowsAsync<InvalidOperationException>(() => one.SqliteFileAsync("nothing", _ => Task.CompletedTask, Cancellation));
        var open = await Assert.ThrowsAsync<InvalidOperationException>(() => one.SqliteFileAsync(
            "open", path => Task.WhenAll(File.WriteAllTextAsync(path, "x"), File.WriteAllTextAsync(path + "-wal", "x")), Cancellation));
        Assert.Contains("-wal is not empty", open.Message, StringComparison.Ordinal);

        async Task PrepareAsync(string path)
        {
            prepared++;
            await File.WriteAllTextAsync(path, "schema");
        }
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
