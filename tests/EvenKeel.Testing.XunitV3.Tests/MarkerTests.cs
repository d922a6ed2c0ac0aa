using System.Globalization;
using EvenKeel.Testing.Isolation;
using EvenKeel.Testing.Synchronization;
using EvenKeel.Testing.Tests;
using EvenKeel.Testing.Workers;
using Xunit;

namespace EvenKeel.Testing.XunitV3.Tests;

/// <summary>Suites of markers in a child process; each test notes when it begins and ends, and the notes are what is looked at.</summary>
public sealed class MarkerTests
{
    private const string LeasesVariable = "EVENKEEL_TESTING_LEASES";

    [Fact]
    public async Task Serial_tests_run_alone_and_tests_of_one_kind_one_after_the_other()
    {
        var spans = await RunAsync([typeof(SerialSuite), typeof(PlainSuite), typeof(KindSuite), typeof(OtherKindSuite)]);

        Assert.Equal(8, spans.Count);
        Assert.All(spans.Where(span => span.Name == nameof(SerialSuite)), alone => Assert.Empty(Beside(alone, spans)));
        Assert.All(
            spans.Where(span => span.Name is nameof(KindSuite)),
            one => Assert.DoesNotContain(Beside(one, spans), other => other.Name is nameof(OtherKindSuite)));
    }

    [Fact]
    public async Task Readers_of_a_resource_run_together_and_its_writer_alone_among_them()
    {
        var spans = await RunAsync([typeof(ReaderSuite), typeof(OtherReaderSuite), typeof(WriterSuite)]);

        Assert.Equal(6, spans.Count);
        Assert.All(spans.Where(span => span.Name == nameof(WriterSuite)), alone => Assert.Empty(Beside(alone, spans)));
    }

    [Fact]
    public async Task Readers_run_beside_each_other_and_tests_of_a_kind_beside_any_others()
    {
        // Each waits until all are inside: one that is kept out makes them all fail.
        await using var child = ChildProcess.StartClasses(
            [typeof(MeetingReaderSuite), typeof(OtherMeetingReaderSuite), typeof(MeetingKindSuite)], ["--max-threads", "3"]);
        await child.EndAsync();
    }

    [Fact]
    public async Task No_more_Kafka_tests_run_at_once_than_the_limit_allows()
    {
        var spans = await RunAsync([typeof(KafkaSuite), typeof(OtherKafkaSuite)], (KitSetup.KafkaTestsAtOnce, "1"));

        Assert.All(
            spans.Where(span => span.Name == nameof(KafkaSuite)),
            one => Assert.DoesNotContain(Beside(one, spans), other => other.Name == nameof(OtherKafkaSuite)));
    }

    [Fact]
    public async Task A_Kafka_test_that_gets_no_turn_fails_and_says_why()
    {
        using var folder = new NotesFolder();
        await using var child = ChildProcess.StartClasses(
            [typeof(KafkaSuite), typeof(OtherKafkaSuite)], ["--max-threads", "2"],
            (NotesFolder.Setting, folder.Path), (KitSetup.KafkaTestsAtOnce, "1"), (KitSetup.GateLimitMs, "1"));

        Assert.Contains("1 Kafka tests (MaxKafkaTestsAtOnce) are running", await child.EndAsync(exitCode: 2), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_resource_that_is_marked_so_is_kept_from_other_processes()
    {
        using var folder = new NotesFolder();
        await using var here = new TestRun(new TestRunOptions { LeaseDirectory = folder.Path });
        using var held = await here.Gates.EnterAsync(
            [new ResourceClaim("catalogue", Access.Read, AcrossProcesses: true)], "here", TimeSpan.FromSeconds(30),
            TestContext.Current.CancellationToken);
        await using var child = ChildProcess.StartClasses(
            [typeof(WriterSuite)],
            (NotesFolder.Setting, folder.Path), (LeasesVariable, folder.Path), (KitSetup.GateLimitMs, "100"));

        var output = await child.EndAsync(exitCode: 2);

        // Of its two tests the one that claims it in its own process alone passes.
        Assert.Contains("another process has it", output, StringComparison.Ordinal);
        Assert.Contains("failed: 1", output, StringComparison.Ordinal);
        Assert.Single(folder.Read(nameof(WriterSuite)));
    }

    private static async Task<List<Span>> RunAsync(Type[] suites, params (string Name, string Value)[] settings)
    {
        using var folder = new NotesFolder();

        // All suites at once, if nothing keeps them apart.
        await using var child = ChildProcess.StartClasses(suites, ["--max-threads", $"{suites.Length}"], [(NotesFolder.Setting, folder.Path), .. settings]);
        await child.EndAsync();
        return [.. suites.SelectMany(suite => folder.Read(suite.Name).Select(line => Span.Read(suite.Name, line)))];
    }

    private static IEnumerable<Span> Beside(Span one, List<Span> spans) =>
        spans.Where(other => other != one && other.Start < one.End && one.Start < other.End);

    private sealed record Span(string Name, long Start, long End)
    {
        public static Span Read(string name, string line)
        {
            var parts = line.Split(' ');
            return new Span(name, long.Parse(parts[0], CultureInfo.InvariantCulture), long.Parse(parts[1], CultureInfo.InvariantCulture));
        }
    }
}

internal static class Marked
{
    /// <summary>Long enough for another test to begin meanwhile, also on a busy machine.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromMilliseconds(300);

    /// <summary>Takes its time, so that another test has the chance to run beside it.</summary>
    public static async Task RunAsync(string suite)
    {
        var start = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(Length);
        await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        NotesFolder.Note(suite, $"{start} {TimeProvider.System.GetTimestamp()}");
    }
}

[Serial]
public sealed class SerialSuite
{
    [Fact(Explicit = true)]
    public Task It_runs_alone_first() => Marked.RunAsync(nameof(SerialSuite));

    [Fact(Explicit = true)]
    public Task It_runs_alone_again() => Marked.RunAsync(nameof(SerialSuite));
}

public sealed class PlainSuite
{
    [Fact(Explicit = true)]
    public Task It_runs_beside_anything() => Marked.RunAsync(nameof(PlainSuite));

    [Fact(Explicit = true)]
    public Task It_runs_beside_anything_again() => Marked.RunAsync(nameof(PlainSuite));
}

public sealed class KindSuite
{
    [Fact(Explicit = true), NoParallel("clock")]
    public Task It_runs_not_beside_its_kind() => Marked.RunAsync(nameof(KindSuite));

    [Fact(Explicit = true), NoParallel("clock")]
    public Task It_runs_not_beside_its_kind_again() => Marked.RunAsync(nameof(KindSuite));
}

[NoParallel("clock")]
public sealed class OtherKindSuite
{
    [Fact(Explicit = true)]
    public Task It_runs_not_beside_its_kind() => Marked.RunAsync(nameof(OtherKindSuite));

    [Fact(Explicit = true)]
    public Task It_runs_not_beside_its_kind_again() => Marked.RunAsync(nameof(OtherKindSuite));
}

[SharedResource("catalogue", Access.Read)]
public sealed class ReaderSuite
{
    [Fact(Explicit = true)]
    public Task It_reads_beside_others() => Marked.RunAsync(nameof(ReaderSuite));

    [Fact(Explicit = true)]
    public Task It_reads_beside_others_again() => Marked.RunAsync(nameof(ReaderSuite));
}

[SharedResource("catalogue", Access.Read)]
public sealed class OtherReaderSuite
{
    [Fact(Explicit = true)]
    public Task It_reads_beside_others() => Marked.RunAsync(nameof(OtherReaderSuite));

    [Fact(Explicit = true)]
    public Task It_reads_beside_others_again() => Marked.RunAsync(nameof(OtherReaderSuite));
}

public sealed class WriterSuite
{
    [Fact(Explicit = true), SharedResource("catalogue")]
    public Task It_writes_alone_here() => Marked.RunAsync(nameof(WriterSuite));

    [Fact(Explicit = true), SharedResource("catalogue", AcrossProcesses = true)]
    public Task It_writes_alone_again() => Marked.RunAsync(nameof(WriterSuite));
}

[KafkaTest]
public sealed class KafkaSuite
{
    [Fact(Explicit = true)]
    public Task It_uses_Kafka_here() => Marked.RunAsync(nameof(KafkaSuite));
}

[KafkaTest]
public sealed class OtherKafkaSuite
{
    [Fact(Explicit = true)]
    public Task It_uses_Kafka_here() => Marked.RunAsync(nameof(OtherKafkaSuite));
}

internal static class Meeting
{
    private static readonly AsyncTestEvent Inside = new("a test is inside");

    public static Task MeetAsync()
    {
        Inside.Set();
        return Inside.WaitAsync(3, TimeSpan.FromSeconds(30));
    }
}

[SharedResource("meeting", Access.Read)]
public sealed class MeetingReaderSuite
{
    [Fact(Explicit = true)]
    public Task It_meets_the_others() => Meeting.MeetAsync();
}

[SharedResource("meeting", Access.Read)]
public sealed class OtherMeetingReaderSuite
{
    [Fact(Explicit = true)]
    public Task It_meets_the_others() => Meeting.MeetAsync();
}

[NoParallel]
public sealed class MeetingKindSuite
{
    [Fact(Explicit = true)]
    public Task It_meets_the_others() => Meeting.MeetAsync();
}
