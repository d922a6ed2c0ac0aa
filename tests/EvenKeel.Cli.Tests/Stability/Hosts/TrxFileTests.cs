using EvenKeel.Cli.Stability.Hosts;
using EvenKeel.Cli.Stability.Runs;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Hosts;

public sealed class TrxFileTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    [Fact]
    public void An_aborted_run_has_its_error_and_lacks_what_did_not_report_whatever_its_counters_say()
    {
        File.WriteAllText(_file, """
            <TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>
            <UnitTestResult testId="1" testName="A.Passes" outcome="Passed" startTime="2026-01-01T00:00:00Z" endTime="2026-01-01T00:00:01Z" />
            <UnitTestResult testId="2" testName="Fails" outcome="Failed"><Output><ErrorInfo><Message>no</Message></ErrorInfo></Output></UnitTestResult>
            <UnitTestResult testId="3" testName="A.Runs" outcome="InProgress" /></Results>
            <TestDefinitions><UnitTest id="2"><TestMethod className="A.B" name="Fails" /></UnitTest></TestDefinitions>
            <ResultSummary outcome="Completed"><Counters total="2" passed="2" failed="0" />
            <RunInfos><RunInfo outcome="Error"><Text>The active test run was aborted.</Text></RunInfo></RunInfos></ResultSummary></TestRun>
            """);

        var entries = TrxFile.Read(_file);

        Assert.Equal([TestOutcome.Passed, TestOutcome.Failed, TestOutcome.Unheard], entries.Select(entry => entry.Outcome));
        Assert.Equal(("A.B", "no"), (entries[1].Class, entries[1].Failure?.Message));
        Assert.Equal(TimeSpan.FromSeconds(1), entries[0].End - entries[0].Start);
        Assert.Equal(["The active test run was aborted."], TrxFile.ErrorsOf(_file));
    }

    [Theory]
    [InlineData("")]
    [InlineData("<TestRun><Results><UnitTestResult testNa")]
    public void A_file_that_was_cut_off_tells_nothing(string text)
    {
        File.WriteAllText(_file, text);

        Assert.Empty(TrxFile.Read(_file));
    }

    public void Dispose() => File.Delete(_file);
}
