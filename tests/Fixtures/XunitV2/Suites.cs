using System.Globalization;
using Xunit;

namespace Fixture.Stable
{
    public class Fine
    {
        [Fact]
        public void Passes() {  }
        [Fact]
        public async Task Waits() {  await Task.Delay(20); }
        [Theory]
        [InlineData(1)]
        [InlineData(2)]
        public void Takes_rows(int number) { if (!(number > 0)) throw new InvalidOperationException("no"); }

    }

}
namespace Fixture.Order
{
    internal static class Shared { public static int Users; }

    public class APolluting
    {
        [Fact]
        public void Leaves_a_user_behind() { Shared.Users++; }
        [Fact]
        public void Is_fine() {  }

    }

    public class BVictims
    {
        [Fact]
        public void Expects_no_users() { if (!(Shared.Users == 0)) throw new InvalidOperationException("there are users"); }
        [Fact]
        public void Is_innocent() {  }

    }

}
namespace Fixture.Surroundings
{
    public class Depends
    {
        [Fact]
        public void On_the_culture() { if (!("I".ToLower(CultureInfo.CurrentCulture) == "i")) throw new InvalidOperationException("no i"); }
        [Fact]
        public void On_nothing() {  }

    }

}
namespace Fixture.Chance
{
    public class Broken
    {
        [Fact]
        public void Always_fails() { if (!(Environment.ProcessId < 0)) throw new InvalidOperationException("broken"); }
        [Fact]
        public void Passes() {  }

    }

}
namespace Fixture.Crash
{
    public class Ending
    {
        [Fact]
        public void Aborts_the_process() { Environment.FailFast("on purpose"); }
        [Fact]
        public void Is_fine() {  }

    }

}
namespace Fixture.Hang
{
    public class Waiting
    {
        [Fact]
        public void Never_ends() { new ManualResetEventSlim().Wait(); }
        [Fact]
        public void Is_fine() {  }

    }

}
