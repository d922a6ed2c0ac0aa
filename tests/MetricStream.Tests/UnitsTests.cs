using Xunit;

namespace MetricStream.Tests;

public sealed class UnitsTests
{
    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("0s", 0)]
    [InlineData("1.5s", 1_500)]
    [InlineData("90s", 90_000)]
    [InlineData("10m", 600_000)]
    [InlineData("2H", 7_200_000)]
    [InlineData(" 30d ", 2_592_000_000)]
    public void A_time_is_a_number_and_a_unit(string text, long milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Units.ParseTime(text));

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("-5s")]
    [InlineData("+5s")]
    [InlineData("5 weeks")]
    [InlineData("1e3s")]
    [InlineData("1,5s")]
    [InlineData("5s5")]
    public void A_text_that_is_no_time_is_named_with_the_fix(string text)
    {
        var error = Assert.Throws<FormatException>(() => Units.ParseTime(text)).Message;
        Assert.Contains($"'{text}' is no time", error, StringComparison.Ordinal);
        Assert.Contains("500ms", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("99999999999d")]
    [InlineData("79228162514264337593543950335d")]
    public void A_time_beyond_what_can_be_counted_is_refused(string text) =>
        Assert.Contains("too long", Assert.Throws<FormatException>(() => Units.ParseTime(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("4096b", 4096)]
    [InlineData("64KiB", 65_536)]
    [InlineData("1.5mib", 1_572_864)]
    [InlineData("10 GiB", 10_737_418_240)]
    [InlineData("2TiB", 2_199_023_255_552)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void A_size_is_bytes_or_a_number_with_a_binary_unit(string text, long bytes) => Assert.Equal(bytes, Units.ParseBytes(text));

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("10GB")]
    [InlineData("KiB")]
    public void A_text_that_is_no_size_is_named_with_the_fix(string text)
    {
        var error = Assert.Throws<FormatException>(() => Units.ParseBytes(text)).Message;
        Assert.Contains($"'{text}' is no size", error, StringComparison.Ordinal);
        Assert.Contains("64KiB", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9223372036854775808")]
    [InlineData("8388608TiB")]
    public void A_size_beyond_what_can_be_counted_is_refused(string text) =>
        Assert.Contains("too large", Assert.Throws<FormatException>(() => Units.ParseBytes(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("500ms")]
    [InlineData("0s")]
    [InlineData("90s")]
    [InlineData("2h")]
    [InlineData("30d")]
    [InlineData("0.25ms")]
    public void A_time_is_written_as_it_is_read(string text) => Assert.Equal(text, Units.FormatTime(Units.ParseTime(text)));

    [Theory]
    [InlineData("0")]
    [InlineData("4097")]
    [InlineData("64KiB")]
    [InlineData("10GiB")]
    [InlineData("3TiB")]
    public void A_size_is_written_as_it_is_read(string text) => Assert.Equal(text, Units.FormatBytes(Units.ParseBytes(text)));
}
