using Xunit;

namespace Fixture.Race;

internal static class Register
{
    public static int Inside;
}

public sealed class First
{
    [Fact]
    public async Task Wants_the_register_alone() => await Use.Alone();
}

public sealed class Second
{
    [Fact]
    public async Task Wants_the_register_alone() => await Use.Alone();
}

internal static class Use
{
    public static async Task Alone()
    {
        try
        {
            Assert.Equal(1, Interlocked.Increment(ref Register.Inside));
            await Task.Delay(300);
        }
        finally
        {
            Interlocked.Decrement(ref Register.Inside);
        }
    }
}

public sealed class Third
{
    [Fact]
    public void Has_nothing_to_do_with_it() { }
}
