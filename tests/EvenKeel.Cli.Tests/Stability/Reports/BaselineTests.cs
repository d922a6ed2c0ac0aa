using EvenKeel.Cli.Stability.Reports;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Reports;

public sealed class BaselineTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    [Fact]
    public void An_entry_excuses_its_test_until_its_date_and_one_without_always()
    {
        File.WriteAllText(_file, """
            {"tests":[{"name":"today","expires":"2026-03-01"},{"name":"yesterday","expires":"2026-02-28"},{"name":"always"}]}
            """);

        var (baseline, violation) = Baseline.Read(_file, new FixedTime());

        Assert.Null(violation);
        Assert.True(baseline!.Knows("today"));
        Assert.False(baseline.Knows("yesterday"));
        Assert.True(baseline.Knows("always"));
        Assert.False(baseline.Knows("another"));
        Assert.Equal(["yesterday"], baseline.Expired);
    }

    [Fact]
    public void A_report_is_a_baseline_of_what_it_found()
    {
        File.WriteAllText(_file, """{"tests":[{"name":"fine","verdict":"stable"},{"name":"poor","verdict":"race"}]}""");

        var (baseline, _) = Baseline.Read(_file, new FixedTime());

        Assert.False(baseline!.Knows("fine"));
        Assert.True(baseline.Knows("poor"));
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("{}")]
    [InlineData("""{"tests":[{"name":"a","expires":"soon"}]}""")]
    [InlineData("""{"tests":[{"expires":"2026-03-01"}]}""")]
    public void What_is_no_baseline_is_refused_with_the_file_and_the_form(string text)
    {
        File.WriteAllText(_file, text);

        var (baseline, violation) = Baseline.Read(_file, new FixedTime());

        Assert.Null(baseline);
        Assert.Contains(_file, violation, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_file);

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    }
}
