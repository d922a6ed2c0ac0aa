using Xunit;

namespace Fixture.Order;

internal static class Shared
{
    public static int Users;
    public static bool Prepared;
}

public sealed class Polluting
{
    [Fact]
    public void Leaves_a_user_behind() => Shared.Users++;

    [Fact]
    public void Does_nothing_bad() { }
}

public sealed class Victims
{
    [Fact]
    public void Expects_no_users() => Assert.Equal(0, Shared.Users);

    [Fact]
    public void Is_innocent() { }
}

public sealed class Setting
{
    [Fact]
    public void Prepares() => Shared.Prepared = true;
}

public sealed class Needing
{
    [Fact]
    public void Needs_the_preparation() => Assert.True(Shared.Prepared);
}

public sealed class Bystanders
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Passes(int number) => Assert.True(number > 0);
}
