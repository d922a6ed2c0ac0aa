using EvenKeel.Testing.Synchronization;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

namespace EvenKeel.Testing.XunitV3.Tests;

/// <summary>Runs in a child process: the second of four tests fails on purpose.</summary>
[TestCaseOrderer(typeof(ByName))]
public sealed class FailingSuite
{
    [Fact(Explicit = true)]
    public Task A_it_passes_before() => SeeAsync();

    [Fact(Explicit = true)]
    public async Task B_it_fails_on_purpose()
    {
        await SeeAsync();
        Assert.Fail("on purpose");
    }

    [Fact(Explicit = true)]
    public Task C_it_passes_after() => SeeAsync();

    [Fact(Explicit = true)]
    public Task D_it_passes_again() => SeeAsync();

    private Task SeeAsync() => Suites.SeeOneRecordAsync(nameof(FailingSuite));
}

/// <summary>Runs in a child process beside the one that fails.</summary>
public sealed class PassingSuite
{
    [Fact(Explicit = true)]
    public Task It_passes_once_here() => Suites.SeeOneRecordAsync(nameof(PassingSuite));

    [Fact(Explicit = true)]
    public Task It_passes_twice_here() => Suites.SeeOneRecordAsync(nameof(PassingSuite));
}

internal static class Suites
{
    public static async Task SeeOneRecordAsync(string suite)
    {
        var topic = await KafkaKit.TopicAsync("orders");
        NotesFolder.Note(suite, topic);
        var consumer = await KafkaKit.ConsumerAsync(topic);
        await KafkaKit.ProduceAsync(topic, "key", "one");
        await KafkaKit.ProduceAsync(topic, "key", "left unread");
        Assert.Equal("one", (await consumer.ReceiveAsync()).Value);
    }
}

/// <summary>The order of the names.</summary>
internal sealed class ByName : ITestCaseOrderer
{
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : notnull, ITestCase => [.. testCases.OrderBy(testCase => testCase.TestMethodName, StringComparer.Ordinal)];
}

/// <summary>Runs in a child process: notes the worker of its fixture, then those of its tests.</summary>
public sealed class FixtureSuite : IClassFixture<FixtureSuite.Fixture>
{
    [Fact(Explicit = true)]
    public void It_has_a_worker_here() => Note();

    [Fact(Explicit = true)]
    public void It_has_a_worker_again() => Note();

    private static void Note() => NotesFolder.Note(nameof(FixtureSuite), $"{KafkaKit.Worker.Number}");

    public sealed class Fixture
    {
        public Fixture()
        {
            // xunit makes it also where none of its tests is run.
            if (Environment.GetEnvironmentVariable(NotesFolder.Setting) is not null)
                Note();
        }
    }
}

/// <summary>Runs in a child process: what people do who have not read the page. The first test fails, no other.</summary>
[TestCaseOrderer(typeof(ByName))]
public sealed class WrongUseSuite : IClassFixture<WrongUseSuite.Warm>
{
    private static readonly AsyncTestEvent Ended = new("the test that left it running has ended");
    private static Task<string>? Left;

    [Fact(Explicit = true, Timeout = 1000)]
    public async Task A_it_waits_for_a_record_that_never_comes_until_its_time_is_over() =>
        await (await KafkaKit.ConsumerAsync(await SeeAsync())).ReceiveAsync(TimeSpan.FromMinutes(5));

    [Fact(Explicit = true)]
    public Task B_it_begins_anew_after_that() => ReceiveOwnAsync();

    [Fact(Explicit = true)]
    public async Task C_it_leaves_something_running()
    {
        await SeeAsync();
        Left = LaterAsync();

        static async Task<string> LaterAsync()
        {
            await Ended.WaitAsync(1, TimeSpan.FromSeconds(30));
            return await KafkaKit.TopicAsync("orders");
        }
    }

    [Fact(Explicit = true)]
    public async Task D_what_a_test_before_left_running_is_refused_and_does_no_harm_here()
    {
        Ended.Set();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => Left!);
        Assert.Contains("has ended, and something that it left running", refusal.Message, StringComparison.Ordinal);
        await ReceiveOwnAsync();
    }

    [Fact(Explicit = true)]
    public async Task E_a_thread_that_knows_no_test_is_refused()
    {
        Exception? refusal = null;
        var thread = new Thread(() => refusal = Record.Exception(() => KafkaKit.Worker));
        thread.UnsafeStart();
        thread.Join();
        Assert.Contains("where no test is known", Assert.IsType<InvalidOperationException>(refusal).Message, StringComparison.Ordinal);
        await ReceiveOwnAsync();
    }

    /// <summary>On a busy machine the first topic alone could take the whole time of the first test.</summary>
    public sealed class Warm : IAsyncLifetime
    {
        public async ValueTask InitializeAsync()
        {
            if (Environment.GetEnvironmentVariable(NotesFolder.Setting) is not null)
                await KafkaKit.TopicAsync("orders");
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private static async Task ReceiveOwnAsync()
    {
        var topic = await SeeAsync();
        var consumer = await KafkaKit.ConsumerAsync(topic);
        await KafkaKit.ProduceAsync(topic, "key", "own");
        Assert.Equal("own", (await consumer.ReceiveAsync()).Value);
    }

    private static async Task<string> SeeAsync()
    {
        var topic = await KafkaKit.TopicAsync("orders");
        NotesFolder.Note(nameof(WrongUseSuite), topic);
        return topic;
    }
}

/// <summary>Runs in a child process: passes at the second try.</summary>
public sealed class UnstableSuite
{
    [Fact(Explicit = true)]
    public async Task It_passes_at_the_second_try()
    {
        var tries = 0;
        await new RetryWithBackoff { On = failure => failure is IOException }.RunAsync(
            "connecting", () => ++tries == 1 ? throw new IOException("refused") : Task.CompletedTask);
    }

    [Fact(Explicit = true)]
    public void It_leaves_a_folder_and_fails_on_purpose()
    {
        File.WriteAllText(Path.Combine(KafkaKit.TempFolder, "evidence"), "x");
        NotesFolder.Note(nameof(UnstableSuite), KafkaKit.TempFolder);
        Assert.Fail("on purpose");
    }
}
