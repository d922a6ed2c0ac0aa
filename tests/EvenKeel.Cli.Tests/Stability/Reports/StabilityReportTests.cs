using System.Text.Json.Nodes;
using EvenKeel.Cli.Stability.Reports;
using EvenKeel.Cli.Stability.Runs;
using EvenKeel.Cli.Stability.Verdicts;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Reports;

public sealed class StabilityReportTests
{
    private static readonly TestReport Stable = new("A.Fine", "A", TestVerdict.Stable, "") { Assembly = "a", Runs = 10 };

    [Fact]
    public void All_green_is_stable_and_says_what_that_proves()
    {
        var report = Report([Stable], RunOutcome.Passed, RunOutcome.Passed);

        Assert.Equal(("stable", 0), (report.Verdict, report.ExitCode));
        Assert.Contains("25.9 %", VerdictText.Headline(report), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(RunOutcome.Crash))]
    [InlineData(nameof(RunOutcome.Hang))]
    [InlineData(nameof(RunOutcome.Failed))]
    public void A_run_that_is_not_green_and_that_no_test_explains_is_never_stable(string outcome)
    {
        var report = Report([Stable], RunOutcome.Passed, Enum.Parse<RunOutcome>(outcome));

        Assert.Equal(("unstable", 1), (report.Verdict, report.ExitCode));
    }

    [Fact]
    public void A_test_that_did_not_report_is_not_hidden_behind_a_known_one_that_failed()
    {
        var known = new TestReport("A.Known", "A", TestVerdict.Broken, "fails") { Assembly = "a", Runs = 2, Failures = 2, IsKnown = true };
        var report = Report([Stable, known], RunOutcome.Passed, RunOutcome.Failed);
        var run = report.Runs[1];
        Assert.Equal(1, (report with { Runs = [report.Runs[0], run with { Missing = ["A.Fine"] }] }).ExitCode);

        var explained = run with { Record = run.Record with { Failures = new Dictionary<int, Failure> { [1] = new("known", "") } } };
        Assert.Equal(0, (report with { Runs = [report.Runs[0], explained] }).ExitCode);
        Assert.Equal(1, (report with { Runs = [report.Runs[0], explained with { Missing = ["A.Fine"] }] }).ExitCode);
    }

    [Fact]
    public void Instability_decides_over_broken_tests_and_only_broken_ones_have_their_own_code()
    {
        var broken = new TestReport("A.Broken", "A", TestVerdict.Broken, "fails") { Assembly = "a", Runs = 2, Failures = 2 };
        var flaky = broken with { Name = "A.Flaky", Verdict = TestVerdict.Flaky, Failures = 1 };

        Assert.Equal(4, Report([Stable, broken], RunOutcome.Passed).ExitCode);
        Assert.Equal(1, Report([Stable, broken, flaky], RunOutcome.Passed).ExitCode);
        Assert.Equal(4, Report([Stable, broken, flaky with { IsKnown = true }], RunOutcome.Passed).ExitCode);
        Assert.Equal(0, Report([Stable, broken with { IsKnown = true }], RunOutcome.Passed).ExitCode);
    }

    [Fact]
    public void Runs_that_count_for_nobody_are_no_verdict()
    {
        Assert.Equal(3, Report([Stable], RunOutcome.Infrastructure, RunOutcome.Infrastructure).ExitCode);
        Assert.Equal(3, Report([Stable]).ExitCode);
        Assert.Equal(130, (Report([Stable], RunOutcome.Passed) with { IsInterrupted = true }).ExitCode);
    }

    [Fact]
    public void A_leak_or_slow_teardown_that_nobody_can_be_named_for_decides_too()
    {
        Assert.Equal(1, (Report([Stable], RunOutcome.Passed) with { Leaks = [new("process", "sleep", null, 2)] }).ExitCode);
        Assert.Equal(1, (Report([Stable], RunOutcome.Passed) with { Teardown = new(true, 5, 5, []) }).ExitCode);
    }

    [Fact]
    public void Every_file_takes_names_that_are_markup_or_no_text_at_all()
    {
        var odd = Stable with { Name = "A.<script>alert(1)</script>\u0001|`*", Verdict = TestVerdict.Flaky, Cause = "<b>&", Failures = 1 };
        var report = Report([odd], RunOutcome.Passed);

        Assert.DoesNotContain("<script>", HtmlReport.Write(report), StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", MarkdownReport.Write(report), StringComparison.Ordinal);
        Assert.Contains("u0001", JunitReport.Write(report).ToString(), StringComparison.Ordinal);
        Assert.Equal(odd.Name, JsonNode.Parse(CtrfReport.Write(report))!["results"]!["tests"]![0]!["name"]!.GetValue<string>());
        Assert.Equal(odd.Name, JsonNode.Parse(ReportJson.Write(report))!["tests"]![0]!["name"]!.GetValue<string>());
    }

    [Fact]
    public void On_GitHub_the_worst_come_first_and_elsewhere_nothing_is_annotated()
    {
        var flaky = Stable with { Name = "A.Flaky", Verdict = TestVerdict.Flaky, Failures = 9 };
        var report = Report([flaky, flaky with { Name = "A.Dies, at: once", Verdict = TestVerdict.Crash }], RunOutcome.Passed);

        Assert.Empty(GitHubAnnotations.Of(report, isOnGitHub: false));
        Assert.StartsWith("::error title=crash%3A A.Dies%2C at%3A once::", GitHubAnnotations.Of(report, isOnGitHub: true).First(), StringComparison.Ordinal);
    }

    private static StabilityReport Report(IReadOnlyList<TestReport> tests, params RunOutcome[] outcomes) => new()
    {
        Seed = 1,
        Suite = "suite",
        Tests = tests,
        Runs = [.. outcomes.Select((outcome, iteration) => new RunReport("a", new(new(1, [0], RunConditions.Quiet) { Iteration = iteration }, outcome, 0)
        {
            Outcomes = [.. tests.Select(_ => TestOutcome.Passed)],
            StartSeconds = new float[tests.Count],
            EndSeconds = new float[tests.Count],
        }, [], []))],
        Levels = [],
        Teardown = new(false, 0, 0, []),
        Leaks = [],
        NotDone = [],
    };
}
