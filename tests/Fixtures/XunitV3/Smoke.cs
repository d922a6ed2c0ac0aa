using Xunit;

namespace Fixture.Smoke;

internal static class Shared
{
    public static int Users;
}

public sealed class Polluting
{
    [Fact]
    public void Leaves_a_user_behind() => Shared.Users++;
}

public sealed class Victims
{
    [Fact]
    public void Expects_no_users() => Assert.Equal(0, Shared.Users);

    [Fact]
    public void Is_innocent() { }
}
