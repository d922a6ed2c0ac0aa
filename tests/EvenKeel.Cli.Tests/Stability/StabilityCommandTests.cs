using System.Text.Json.Nodes;
using EvenKeel.Cli.Tests.Broker;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability;

/// <summary>The command typed on a suite that knows nothing of it: exit codes, files, verdicts. More of them: <c>tests/Fixtures/check</c>.</summary>
public sealed class StabilityCommandTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string Fixture =>
        Path.Combine(AppContext.BaseDirectory.Replace("EvenKeel.Cli.Tests", Path.Combine("Fixtures", "XunitV3"), StringComparison.Ordinal),
            "XunitV3.Fixture.dll");

    [Fact]
    public async Task A_victim_of_another_test_is_found_with_its_polluter_and_the_command_reproduces_it()
    {
        using var folder = new ScratchFolder();

        var (exit, output, errors) = await RunAsync("quick", Fixture, "--filter", "Fixture.Smoke.", "--seed", "7", "--out", folder.Path);

        Assert.True(exit == 1, $"exit {exit}\n{output}{errors}");
        var report = Report(folder);
        Assert.Equal("unstable", report["verdict"]!.GetValue<string>());
        var victim = Single(report, "Expects_no_users");
        Assert.Equal("order-dependent", victim["verdict"]!.GetValue<string>());
        Assert.Equal("Fixture.Smoke.Polluting.Leaves_a_user_behind", victim["related"]![0]!.GetValue<string>());
        Assert.Equal("stable", Single(report, "Is_innocent")["verdict"]!.GetValue<string>());
        Assert.True(Single(report, "Is_innocent")["provenBelow"]!.GetValue<double>() > 0.7);
        Assert.All(new[] { "report.html", "report.md", "junit.xml", "ctrf.json" }, file => Assert.True(File.Exists(Path.Combine(folder.Path, file))));

        var (replayed, told, _) = await RunAsync("replay", Path.Combine(folder.Path, "report.json"), "Expects_no_users");
        Assert.True(replayed == 1, told);
    }

    [Fact]
    public async Task A_test_that_leaves_with_zero_is_a_crash_and_not_green()
    {
        using var folder = new ScratchFolder();

        var (exit, output, errors) = await RunOnceAsync("Exit", folder);

        Assert.True(exit == 1, $"exit {exit}\n{output}{errors}");
        Assert.Equal("crash", Report(folder)["runs"]![0]!["outcome"]!.GetValue<string>());
        Assert.Equal("crash", Single(Report(folder), "Leaves_with_zero")["verdict"]!.GetValue<string>());
    }

    [Fact]
    public async Task An_exception_that_no_test_takes_is_never_green()
    {
        using var folder = new ScratchFolder();

        var (exit, output, errors) = await RunOnceAsync("Unhandled", folder);

        Assert.True(exit is 1 or 4, $"exit {exit}\n{output}{errors}");
        Assert.NotEqual("passed", Report(folder)["runs"]![0]!["outcome"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_test_that_removes_the_temporary_folder_of_its_run_is_stable()
    {
        using var folder = new ScratchFolder();

        var (exit, output, errors) = await RunOnceAsync("Tidy", folder);

        Assert.True(exit == 0, $"exit {exit}\n{output}{errors}");
    }

    [Fact]
    public async Task A_wrong_command_line_names_everything_that_is_wrong()
    {
        var (exit, _, errors) = await RunAsync("no-such-suite", "--iterations", "0", "--levels", "1,x", "--timeout", "soon", "--noise", "loud");

        Assert.Equal(2, exit);
        Assert.All(["no-such-suite", "--iterations", "--levels", "--timeout", "--noise"], named => Assert.Contains(named, errors, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_is_a_wrong_command_line_and_no_instability()
    {
        using var folder = new ScratchFolder();
        var file = Path.Combine(folder.Path, "file");
        await File.WriteAllTextAsync(file, "in the way", Cancellation);

        var (exit, _, errors) = await RunAsync(Fixture, "--out", Path.Combine(file, "report"));

        Assert.True(exit == 2, $"exit {exit}\n{errors}");
        Assert.Contains("--out", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_suite_without_a_test_that_matches_could_not_be_run()
    {
        using var folder = new ScratchFolder();

        var (exit, _, errors) = await RunAsync(Fixture, "--filter", "Nothing.Like.It", "--out", folder.Path);

        Assert.Equal(3, exit);
        Assert.Contains("Nothing.Like.It", errors, StringComparison.Ordinal);
        Assert.Equal("not-run", Report(folder)["verdict"]!.GetValue<string>());
    }

    /// <summary>One run of one class of the fixture, by one worker.</summary>
    private static Task<(int Exit, string Output, string Errors)> RunOnceAsync(string suite, ScratchFolder folder) =>
        RunAsync(Fixture, "--filter", $"Fixture.{suite}.", "--iterations", "1", "--levels", "1", "--out", folder.Path);

    private static async Task<(int Exit, string Output, string Errors)> RunAsync(params string[] arguments) =>
        (await BrokerProcess.RunAsync(null, Cancellation, ["stability", .. arguments]))!.Value;

    private static JsonObject Report(ScratchFolder folder) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Path, "report.json")))!.AsObject();

    private static JsonNode Single(JsonObject report, string name) =>
        report["tests"]!.AsArray().Single(test => test!["name"]!.GetValue<string>().Contains(name, StringComparison.Ordinal))!;

    private sealed class ScratchFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("evenkeel-stability-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
