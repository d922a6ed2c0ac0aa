using System.Collections.Concurrent;
using System.Diagnostics;
using EvenKeel.Testing.Tests;
using EvenKeel.Testing.Workers;
using Npgsql;
using Xunit;

namespace EvenKeel.Testing.PostgreSql.Tests;

public sealed class TestDatabaseTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Variable = "EVENKEEL_POSTGRES";
    private const string FolderSetting = "TEST_LEASE_FOLDER";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("evenkeel-leases-");
    private readonly ConcurrentQueue<string> _told = new();
    private int _prepared;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string Server
    {
        get
        {
            var server = Environment.GetEnvironmentVariable(Variable);
            Assert.SkipWhen(string.IsNullOrWhiteSpace(server), $"No PostgreSQL: {Variable} is not set to a connection string.");
            return server!;
        }
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Each_worker_has_a_clone_of_its_own_until_a_test_fails_and_none_is_left_at_the_end()
    {
        var run = Start();
        var databases = new TestDatabases(run, Server, "orders", PrepareAsync);
        var (one, two) = (run.LeaseWorker(), run.LeaseWorker());

        var first = await databases.ForAsync(one, Cancellation);
        await AskAsync(first, "INSERT INTO orders VALUES (2)");
        var start = Stopwatch.GetTimestamp();
        var second = await databases.ForAsync(two, Cancellation);
        output.WriteLine($"a clone took {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
        Assert.Equal(2L, await AskAsync(first, "SELECT count(*) FROM orders"));
        Assert.Equal(1L, await AskAsync(second, "SELECT count(*) FROM orders"));
        Assert.Equal(first, await databases.ForAsync(one, Cancellation));

        one.BeginTest("a failing test").End(hasFailed: true);
        var fresh = await databases.ForAsync(one, Cancellation);
        Assert.Equal(1L, await AskAsync(fresh, "SELECT count(*) FROM orders"));
        Assert.Equal(second, await databases.ForAsync(two, Cancellation));
        Assert.Equal(1, _prepared);
        Assert.Equal(4, (await OfRunAsync(run.Id)).Length);

        // A service that nobody stopped holds a connection.
        await using var held = new NpgsqlConnection(second);
        await held.OpenAsync(Cancellation);
        await run.DisposeAsync();

        Assert.Empty(await OfRunAsync(run.Id));
        Assert.Empty(_told);
    }

    [Fact]
    public async Task What_a_killed_process_left_goes_with_the_next_run_and_a_living_ones_stays()
    {
        await using var living = Start();
        var kept = await new TestDatabases(living, Server, "orders", PrepareAsync).ForAsync(living.LeaseWorker(), Cancellation);
        await using var child = ChildProcess.Start<TestDatabaseTests>(nameof(Child_makes_a_database_and_waits), (FolderSetting, _folder.FullName));
        var dead = Assert.Single(await child.ReadFileAsync(Path.Combine(_folder.FullName, "made")));
        Assert.Equal(2, (await OfRunAsync(dead)).Length);
        await child.KillAsync();

        await using (var next = Start())
        {
            // The end of a run waits for its sweep.
            _ = new TestDatabases(next, Server, "orders", PrepareAsync);
        }

        Assert.Empty(await OfRunAsync(dead));
        Assert.Equal(1L, await AskAsync(kept, "SELECT count(*) FROM orders"));
        Assert.Empty(_told);
    }

    [Fact]
    public async Task A_preparation_that_fails_leaves_no_template_and_is_tried_again()
    {
        await using var run = Start();
        var tries = 0;
        var databases = new TestDatabases(
            run, Server, "brittle", connection => ++tries == 1 ? throw new IOException("no schema") : PrepareAsync(connection));
        var worker = run.LeaseWorker();

        await Assert.ThrowsAsync<IOException>(() => databases.ForAsync(worker, Cancellation));
        Assert.Empty(await OfRunAsync(run.Id));

        Assert.Equal(1L, await AskAsync(await databases.ForAsync(worker, Cancellation), "SELECT count(*) FROM orders"));
    }

    [Fact]
    public async Task A_name_that_PostgreSQL_would_cut_is_refused()
    {
        await using var run = Start();

        var refusal = Assert.Throws<ArgumentException>(() => new TestDatabases(run, "Host=x", new string('a', 60), PrepareAsync));
        Assert.Contains("at most 63", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new TestDatabases(run, "Host=x", "no\"name", PrepareAsync));
    }

    [Fact(Explicit = true)]
    public async Task Child_makes_a_database_and_waits()
    {
        var folder = ChildProcess.Setting(FolderSetting);
        await using var run = new TestRun(new TestRunOptions { LeaseDirectory = folder });
        await new TestDatabases(run, Server, "orders", PrepareAsync).ForAsync(run.LeaseWorker(), Cancellation);
        ChildProcess.WriteFile(Path.Combine(folder, "made"), [run.Id]);
        await Task.Delay(Timeout.Infinite, Cancellation);
    }

    private TestRun Start() => new(new TestRunOptions { LeaseDirectory = _folder.FullName, Diagnostics = _told.Enqueue });

    private async Task PrepareAsync(NpgsqlConnection connection)
    {
        _prepared++;
        await using var command = new NpgsqlCommand("CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)", connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<object?> AskAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancellation);
#pragma warning disable CA2100 // The statements stand in this file.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return await command.ExecuteScalarAsync(Cancellation);
    }

    private static async Task<string[]> OfRunAsync(string run) =>
        (string[])(await AskAsync(Server, $"SELECT coalesce(array_agg(datname::text), '{{}}') FROM pg_database WHERE datname LIKE '%{run}%'"))!;
}
