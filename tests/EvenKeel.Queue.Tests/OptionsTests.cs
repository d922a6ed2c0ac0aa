using Xunit;

namespace EvenKeel.Queue.Tests;

public sealed class OptionsTests
{
    private static readonly DurableQueueOptions Good = new() { Directory = "queue" };

    [Fact]
    public void Defaults_are_valid() => Assert.Empty(Good.Validate());

    public static TheoryData<string, string, string> Violations => new()
    {
        { "Directory", "' '", "name the folder" },
        { "SegmentBytes-low", "4095", "4096" },
        { "SegmentBytes-high", "4294967297", "4294967296" },
        { "MaxBytes", "16383", "16384" },
        { "MaxRecordBytes-low", "0", "1 to" },
        { "MaxRecordBytes-high", "1073741825", "1073741824" },
        { "MaxPendingBytes-low", "4095", "4096" },
        { "MaxPendingBytes-high", "1073741825", "1073741824" },
        { "IdleMarkAfter-low", "00:00:00", "1 ms" },
        { "IdleMarkAfter-high", "1.00:00:01", "1 day" },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public void A_violation_names_the_setting_the_value_and_the_fix(string which, string value, string fix)
    {
        var options = which switch
        {
            "Directory" => Good with { Directory = " " },
            "SegmentBytes-low" => Good with { SegmentBytes = 4095 },
            "SegmentBytes-high" => Good with { SegmentBytes = (4L << 30) + 1, MaxBytes = 100L << 30 },
            "MaxBytes" => Good with { SegmentBytes = 4096, MaxBytes = 16383 },
            "MaxRecordBytes-low" => Good with { MaxRecordBytes = 0 },
            "MaxRecordBytes-high" => Good with { MaxRecordBytes = (1 << 30) + 1 },
            "MaxPendingBytes-low" => Good with { MaxPendingBytes = 4095 },
            "MaxPendingBytes-high" => Good with { MaxPendingBytes = (1 << 30) + 1 },
            "IdleMarkAfter-low" => Good with { IdleMarkAfter = TimeSpan.Zero },
            _ => Good with { IdleMarkAfter = TimeSpan.FromDays(1) + TimeSpan.FromSeconds(1) },
        };
        var violation = Assert.Single(options.Validate());
        Assert.StartsWith(which.Split('-')[0], violation, StringComparison.Ordinal);
        Assert.Contains(value, violation, StringComparison.Ordinal);
        Assert.Contains(fix, violation, StringComparison.Ordinal);
    }

    [Fact]
    public void The_limits_themselves_are_valid() => Assert.Empty((Good with
    {
        SegmentBytes = 4096,
        MaxBytes = 16384,
        MaxRecordBytes = 1 << 30,
        MaxPendingBytes = 4096,
        IdleMarkAfter = TimeSpan.FromDays(1),
    }).Validate());

    [Fact]
    public void Opening_names_every_violation_at_once()
    {
        var bad = Good with { MaxBytes = 1, MaxRecordBytes = 0, IdleMarkAfter = TimeSpan.Zero };
        var error = Assert.Throws<ArgumentException>(() => DurableQueue.Open(bad));
        foreach (var setting in new[] { "MaxBytes", "MaxRecordBytes", "IdleMarkAfter" })
            Assert.Contains(setting + " is", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Good.Directory));
    }
}
