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
