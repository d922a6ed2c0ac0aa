using Xunit;

namespace Fixture.Chance;

public sealed class Flaky
{
    // A chance of a third, drawn anew by each process.
    [Fact]
    public void Fails_now_and_then() => Assert.True(Environment.TickCount64 * 7919 % 3 != 0 || Random.Shared.Next(2) == 2, "drawn");

    [Fact]
    public void Never_fails() { }
}

public sealed class Broken
{
    [Fact]
    public void Always_fails() => Assert.Equal(1, 2);
}
