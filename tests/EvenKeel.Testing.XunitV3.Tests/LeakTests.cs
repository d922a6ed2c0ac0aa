using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Confluent.Kafka;
using EvenKeel.Testing.Tests;
using Xunit;

namespace EvenKeel.Testing.XunitV3.Tests;

public sealed class LeakTests
{
    private static bool HasProcessView => File.Exists($"/proc/self/task/{Environment.ProcessId}/children");

    [Theory]
    [InlineData("exactly")]
    [InlineData("by collection")]
    public async Task What_tests_leave_behind_fails_the_run_where_asked_and_is_named_with_its_test(string looks)
    {
        Assert.SkipUnless(HasProcessView, "This system does not tell a process's threads and children (/proc/self/task/*/children).");
        using var folder = new NotesFolder();
        await using var child = ChildProcess.StartClasses(
            [typeof(LeakingSuite)], (NotesFolder.Setting, folder.Path), (KitSetup.FailsOnLeaks, looks));

        var output = await child.EndAsync(exitCode: 2);

        Assert.Contains("The tests left something behind", output, StringComparison.Ordinal);
        AssertNamed("Client: IProducer, of ", nameof(LeakingSuite.It_leaves_a_client));
        AssertNamed("Thread: left behind", nameof(LeakingSuite.It_leaves_a_thread));
        AssertNamed("Environment: environment variable LEFT_BEHIND was changed", nameof(LeakingSuite.It_leaves_a_variable));
        AssertNamed("Port: listening on port ", nameof(LeakingSuite.It_leaves_a_listener));
        AssertNamed("Port: port ", nameof(LeakingSuite.It_leaves_a_lease));
        AssertNamed("File: left-behind in the temporary folder", nameof(LeakingSuite.It_leaves_a_file));
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(Path.GetTempPath()), entry => entry.EndsWith("left-behind", StringComparison.Ordinal));
        AssertNamed("Process: sleep", nameof(LeakingSuite.It_leaves_a_process));

        // A look at the whole names all tests of the collection, up to five.
        void AssertNamed(string leak, string test)
        {
            var line = output.Split('\n').First(line => line.Contains(leak, StringComparison.Ordinal));
            var isExact = looks == "exactly" || leak.StartsWith("Client", StringComparison.Ordinal)
                || leak.StartsWith("Environment", StringComparison.Ordinal) || leak == "Port: port ";
            Assert.Contains(isExact ? test : nameof(LeakingSuite), line, StringComparison.Ordinal);
            Assert.Equal(!isExact, line.Contains(" or ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Tests_that_leave_nothing_pass_and_the_kit_leaves_nothing_itself()
    {
        using var folder = new NotesFolder();
        await using var child = ChildProcess.StartClasses(
            [typeof(PassingSuite), typeof(TidySuite)], (NotesFolder.Setting, folder.Path), (KitSetup.FailsOnLeaks, "exactly"));

        await child.EndAsync();
    }
}

[TestCaseOrderer(typeof(ByName))]
public sealed class LeakingSuite
{
    // Held, or the garbage collector would tidy up after the test.
    private static TcpListener? Left;

    [Fact(Explicit = true), KafkaTest]
    public void It_leaves_a_client() => Producers.Create();

    [Fact(Explicit = true)]
    public void It_leaves_a_thread()
    {
        var never = new ManualResetEventSlim();
        new Thread(never.Wait) { IsBackground = true, Name = "left behind" }.Start();
    }

    [Fact(Explicit = true)]
    public void It_leaves_a_variable() => Environment.SetEnvironmentVariable("LEFT_BEHIND", "1");

    [Fact(Explicit = true)]
    public void It_leaves_a_listener()
    {
        Left = new TcpListener(IPAddress.Loopback, 0);
        Left.Start();
    }

    [Fact(Explicit = true)]
    public void It_leaves_a_file() => File.WriteAllText(Path.Combine(Path.GetTempPath(), "left-behind"), "x");

    [Fact(Explicit = true)]
    public void It_leaves_a_lease() => KafkaKit.LeasePort();

    [Fact(Explicit = true)]
    public void It_leaves_a_process() => Process.Start(new ProcessStartInfo("sleep", ["20"]) { RedirectStandardOutput = true, RedirectStandardError = true });
}

public sealed class TidySuite
{
    [Fact(Explicit = true), KafkaTest]
    public async Task It_disposes_of_what_it_makes()
    {
        using var lease = KafkaKit.LeasePort();
        using var listener = lease.Listen();
        Directory.CreateTempSubdirectory("tidy").Delete();
        using var variable = await Isolation.EnvironmentScope.SetAsync("TIDY", "1");
        using var producer = Producers.Create();
        var shared = KafkaKit.SharedClient("shared", Producers.Build);
        Assert.Same(shared, KafkaKit.SharedClient("shared", Producers.Build));
        Assert.Throws<InvalidOperationException>(() => KafkaKit.SharedClient<TcpListener>("shared", () => throw new InvalidOperationException()));
        await shared.ProduceAsync(
            await KafkaKit.TopicAsync("tidy"), new Message<string, string> { Value = "x" }, TestContext.Current.CancellationToken);
    }
}

internal static class Producers
{
    public static IProducer<string, string> Create() => KafkaKit.CreateClient(Build, client => client.AddBrokers(""));

    public static IProducer<string, string> Build() =>
        new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = KafkaKit.BootstrapServers }).Build();
}
