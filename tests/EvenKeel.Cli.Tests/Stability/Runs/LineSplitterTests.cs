using EvenKeel.Cli.Stability.Runs;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Runs;

public sealed class LineSplitterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(100)]
    public void However_text_comes_its_lines_are_the_same(int step)
    {
        const string Text = "one\r\ntwo\n\nlast";
        var lines = new List<string>();
        var splitter = new LineSplitter(lines.Add);

        for (var at = 0; at < Text.Length; at += step)
            splitter.Add(Text.AsSpan(at, Math.Min(step, Text.Length - at)));
        splitter.End();

        Assert.Equal(["one", "two", "", "last"], lines);
    }

    [Fact]
    public void A_line_that_never_ends_is_cut_and_not_kept_for_ever()
    {
        var lines = new List<string>();
        var splitter = new LineSplitter(lines.Add);
        var part = new string('x', 1_000_000);

        for (var i = 0; i < 10; i++)
            splitter.Add(part);
        splitter.End();

        Assert.Equal(10_000_000, lines.Sum(line => line.Length));
        Assert.True(lines.Count > 1, "All of it was kept.");
    }
}
