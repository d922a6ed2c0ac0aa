using System.Globalization;
using Xunit;

namespace Fixture.Surroundings;

public sealed class Depends
{
    [Fact]
    public void On_the_culture() => Assert.Equal("i", "I".ToLower(CultureInfo.CurrentCulture));

    [Fact]
    public void On_the_time_zone() => Assert.True(TimeZoneInfo.Local.BaseUtcOffset < TimeSpan.FromHours(14), "not at the end of the day");

    [Fact]
    public void On_the_processors() => Assert.True(Environment.ProcessorCount > 1, "one processor");

    [Fact]
    public void On_nothing() { }
}
