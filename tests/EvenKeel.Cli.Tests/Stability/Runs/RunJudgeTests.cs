using EvenKeel.Cli.Stability.Runs;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Runs;

public sealed class RunJudgeTests
{
    private static readonly int[] FailureCodes = [1];

    [Fact]
    public void A_run_is_green_only_when_all_reported_and_it_ended_with_zero() =>
        Assert.Equal(RunOutcome.Passed, Judge(Seen(finished: true), exitCode: 0));

    [Theory]
    [InlineData(134)]
    [InlineData(137)]
    [InlineData(139)]
    public void A_signal_is_a_crash_whatever_was_reported(int exitCode) =>
        Assert.Equal(RunOutcome.Crash, Judge(Seen(finished: true), exitCode));

    [Fact]
    public void A_process_that_leaves_with_zero_before_its_tests_reported_crashed() =>
        Assert.Equal(RunOutcome.Crash, Judge(Seen(finished: false), exitCode: 0, missing: [0]));

    [Fact]
    public void A_test_that_did_not_report_is_never_green() =>
        Assert.NotEqual(RunOutcome.Passed, Judge(Seen(finished: true), exitCode: 0, missing: [0]));

    [Fact]
    public void An_exit_code_that_no_test_explains_is_never_green()
    {
        Assert.Equal(RunOutcome.Failed, Judge(Seen(finished: true), exitCode: 1));
        Assert.Equal(RunOutcome.Crash, Judge(Seen(finished: true), exitCode: 3));
    }

    [Fact]
    public void A_time_out_is_a_hang_even_when_all_tests_had_passed() =>
        Assert.Equal(RunOutcome.Hang, Judge(Seen(finished: true), exitCode: 137, timedOut: true));

    [Fact]
    public void What_fails_beside_the_tests_is_never_green()
    {
        var seen = Seen(finished: true);
        seen.Trouble("a fixture's clean-up threw");

        Assert.Equal(RunOutcome.Failed, Judge(seen, exitCode: 0));
    }

    private static RunObservation Seen(bool finished)
    {
        var seen = new RunObservation(1);
        seen.Report(0, TestOutcome.Passed);
        if (finished)
            seen.Finish();
        return seen;
    }

    private static RunOutcome Judge(RunObservation seen, int exitCode, bool timedOut = false, IReadOnlyList<int>? missing = null) =>
        RunJudge.Judge(seen, exitCode, timedOut, missing ?? [], FailureCodes).Outcome;
}
