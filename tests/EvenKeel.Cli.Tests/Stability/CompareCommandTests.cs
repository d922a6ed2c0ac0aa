using System.CommandLine;
using EvenKeel.Cli.Stability;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability;

/// <summary>What got worse from one report to another, and by which exit code a pipeline learns of it.</summary>
public sealed class CompareCommandTests : IDisposable
{
    private const string Stable = """{"name":"A.Test","verdict":"stable","cause":"","failures":0,"runs":30}""";
    private const string Flaky = """{"name":"A.Test","verdict":"flaky","cause":"It fails now and then.","failures":9,"runs":30}""";
    private const string RarelyFlaky = """{"name":"A.Test","verdict":"flaky","cause":"","failures":1,"runs":30}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("evenkeel-compare-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_test_that_was_stable_and_is_flaky_got_worse()
    {
        var (exit, output, _) = await CompareAsync(Report(Stable), Report(Flaky));

        Assert.Equal(1, exit);
        Assert.Contains("A.Test: stable before, flaky now. It fails now and then.", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_that_fails_clearly_more_often_got_worse_and_the_other_way_round_nothing_did()
    {
        var (worse, output, _) = await CompareAsync(Report(RarelyFlaky), Report(Flaky));
        var (better, relieved, _) = await CompareAsync(Report(Flaky), Report(RarelyFlaky));

        Assert.Equal(1, worse);
        Assert.Contains("failed 1 of 30 before, 9 of 30 now", output, StringComparison.Ordinal);
        Assert.Equal(0, better);
        Assert.Contains("Nothing got worse.", relieved, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{"kind":"process","what":"sleep","test":null,"runs":3}]""", "[]", "ok", "leak: process sleep")]
    [InlineData("[]", """[{"outcome":"crash"}]""", "ok", "crash: in 1 runs, in none before")]
    [InlineData("[]", "[]", "slow-teardown", "teardown: slow now")]
    public async Task What_no_test_bears_counts_as_well(string leaks, string runs, string teardown, string told)
    {
        var (exit, output, _) = await CompareAsync(Report(Stable), Report(Stable, leaks, runs, teardown));

        Assert.Equal(1, exit);
        Assert.Contains(told, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "does not exist")]
    [InlineData("{", "is no report")]
    [InlineData("{}", "is no report of 'evenkeel stability'")]
    public async Task What_is_no_report_is_named_with_its_argument(string? text, string told)
    {
        var (exit, _, errors) = await CompareAsync(Report(Stable), text);

        Assert.Equal(2, exit);
        Assert.Contains($"B.json is '{Path.Combine(_folder, "b.json")}', which", errors, StringComparison.Ordinal);
        Assert.Contains(told, errors, StringComparison.Ordinal);
    }

    private static string Report(string test, string leaks = "[]", string runs = "[]", string teardown = "ok") =>
        $$"""{"tests":[{{test}}],"runs":{{runs}},"leaks":{{leaks}},"teardown":{"verdict":"{{teardown}}","medianSeconds":1.5} }""";

    private async Task<(int Exit, string Output, string Errors)> CompareAsync(string before, string? after)
    {
        var (first, second) = (Path.Combine(_folder, "a.json"), Path.Combine(_folder, "b.json"));
        await File.WriteAllTextAsync(first, before, TestContext.Current.CancellationToken);
        if (after is not null)
            await File.WriteAllTextAsync(second, after, TestContext.Current.CancellationToken);
        await using var output = new StringWriter();
        await using var errors = new StringWriter();
        var exit = await CompareCommand.Create().Parse([first, second])
            .InvokeAsync(new InvocationConfiguration { Output = output, Error = errors }, TestContext.Current.CancellationToken);
        return (exit, $"{output}", $"{errors}");
    }
}
